-- One sealed value: one field of one record.
CREATE TABLE field_value (
    guest_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    field TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    pinned INTEGER NOT NULL,
    verified INTEGER NOT NULL,
    trust INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    PRIMARY KEY (guest_id, record_id, field)
) STRICT, WITHOUT ROWID;
