-- The same, numbered without a gap in the order that readers get.
CREATE TABLE event_feed (
    position INTEGER NOT NULL PRIMARY KEY,
    event_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    guest_id BLOB,
    property TEXT,
    data TEXT NOT NULL
) STRICT;
