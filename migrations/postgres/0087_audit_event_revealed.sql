CREATE INDEX audit_event_revealed ON audit_event (at, entry_id) WHERE action = 'reveal';
