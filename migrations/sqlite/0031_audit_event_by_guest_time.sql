CREATE INDEX audit_event_by_guest_time ON audit_event (guest_id, at, entry_id) WHERE guest_id IS NOT NULL;
