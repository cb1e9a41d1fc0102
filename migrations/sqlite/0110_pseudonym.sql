-- The handle by which one consumer knows a guest; no two consumers have the same. Begins with the token so that it shards
-- by it.
CREATE TABLE pseudonym (
    token BLOB NOT NULL,
    guest_id BLOB NOT NULL,
    principal_id BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (token)
) STRICT, WITHOUT ROWID;
