-- What another person judges afterwards: over a year of entries, the day's page asks for those few.
CREATE INDEX audit_event_judged ON audit_event (at, entry_id) WHERE action IN ('reveal', 'break_glass');
