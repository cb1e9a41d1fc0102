-- The last number given in the feed: one row, changed once a batch of events.
CREATE TABLE event_head (
    feed TEXT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
