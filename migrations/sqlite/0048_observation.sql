-- Notes that low-privilege posts leave and cannot read, sealed, until a steward decides about them.
CREATE TABLE observation (
    guest_id BLOB NOT NULL,
    observation_id BLOB NOT NULL,
    property TEXT NOT NULL,
    principal BLOB NOT NULL,
    actor TEXT NULL,
    drawer TEXT NOT NULL,
    at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (guest_id, observation_id)
) STRICT, WITHOUT ROWID;
