CREATE INDEX audit_event_by_guest ON audit_event (guest_id, entry_id);
