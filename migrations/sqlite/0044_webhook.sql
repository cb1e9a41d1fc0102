-- How far a receiver was given the feed.
CREATE TABLE webhook (
    name TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
