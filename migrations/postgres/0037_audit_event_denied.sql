CREATE INDEX audit_event_denied ON audit_event (at, entry_id) WHERE decision = 'denied';
