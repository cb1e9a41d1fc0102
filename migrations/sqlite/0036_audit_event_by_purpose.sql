CREATE INDEX audit_event_by_purpose ON audit_event (purpose, at, entry_id) WHERE purpose IS NOT NULL;
