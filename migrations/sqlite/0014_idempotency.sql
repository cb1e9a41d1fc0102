-- Answers of creating calls, kept a day so that a retry gets the same one.
CREATE TABLE idempotency (
    principal BLOB NOT NULL,
    key_mac BLOB NOT NULL,
    body_mac BLOB NOT NULL,
    status INTEGER NOT NULL,
    answer BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (principal, key_mac)
) STRICT, WITHOUT ROWID;
