CREATE INDEX audit_event_by_time ON audit_event (at, entry_id);
