CREATE INDEX audit_event_by_principal ON audit_event (principal, entry_id);
