-- Keyed tokens that records of the same person share; they say who may be whom, never who. Begins with the token so
-- that it shards by it. The version is that of the key, so that a new key can be brought in while both are read.
CREATE TABLE likeness_token (
    token BLOB NOT NULL,
    guest_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    PRIMARY KEY (token, guest_id, record_id)
) STRICT, WITHOUT ROWID;
