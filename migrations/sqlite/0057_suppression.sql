-- Addresses that are not to be used: keyed hashes, one list a channel. They outlive their guests.
CREATE TABLE suppression (
    token BLOB NOT NULL,
    channel TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (token, channel)
) STRICT, WITHOUT ROWID;
