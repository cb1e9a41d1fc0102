-- The same, numbered without a gap in the order that readers get.
CREATE TABLE event_feed (
    position BIGINT NOT NULL PRIMARY KEY,
    event_id UUID NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    guest_id UUID,
    property TEXT,
    data TEXT NOT NULL
);
