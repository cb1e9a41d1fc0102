-- How far the tokens of look-alikes are made anew by a new key, so that what was cut off goes on from there.
CREATE TABLE matching_rekey (
    version INTEGER NOT NULL,
    after_id BLOB NOT NULL,
    guests INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER NULL,
    PRIMARY KEY (version)
) STRICT, WITHOUT ROWID;
