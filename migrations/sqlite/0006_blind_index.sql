-- Keyed tokens of near-unique values, to find guests by; begins with the token so that it shards by it.
CREATE TABLE blind_index (
    token BLOB NOT NULL,
    guest_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    field TEXT NOT NULL,
    PRIMARY KEY (token, guest_id, record_id, field)
) STRICT, WITHOUT ROWID;
