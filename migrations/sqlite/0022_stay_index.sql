-- Keyed tokens of stays: reservation numbers and days at a property; begins with the token so that it shards by it.
CREATE TABLE stay_index (
    token BLOB NOT NULL,
    guest_id BLOB NOT NULL,
    stay_token BLOB NOT NULL,
    PRIMARY KEY (token, guest_id, stay_token)
) STRICT, WITHOUT ROWID;
