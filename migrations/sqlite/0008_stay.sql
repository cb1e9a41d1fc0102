-- A stay, sealed whole: dates and references are whereabouts.
CREATE TABLE stay (
    guest_id BLOB NOT NULL,
    stay_token BLOB NOT NULL,
    property TEXT NOT NULL,
    record_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (guest_id, stay_token)
) STRICT, WITHOUT ROWID;
