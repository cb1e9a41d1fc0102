CREATE INDEX audit_event_by_principal_time ON audit_event (principal, at, entry_id);
