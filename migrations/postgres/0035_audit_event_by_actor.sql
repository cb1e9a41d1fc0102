CREATE INDEX audit_event_by_actor ON audit_event (actor, at, entry_id) WHERE actor IS NOT NULL;
