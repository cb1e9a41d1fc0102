-- What happened, written with the change it tells of; not yet in the feed. Ids, field names and words only.
CREATE TABLE event_outbox (
    event_id UUID NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    guest_id UUID,
    property TEXT,
    data TEXT NOT NULL
);
