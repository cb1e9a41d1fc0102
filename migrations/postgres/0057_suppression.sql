-- Addresses that are not to be used: keyed hashes, one list a channel. They outlive their guests.
CREATE TABLE suppression (
    token BYTEA NOT NULL,
    channel TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (token, channel)
);
