-- What happened, written with the change it tells of; not yet in the feed. Ids, field names and words only.
CREATE TABLE event_outbox (
    event_id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    guest_id BLOB,
    property TEXT,
    data TEXT NOT NULL
) STRICT, WITHOUT ROWID;
