-- What one source system says about one person; its values lie in field_value.
CREATE TABLE record (
    guest_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    source_system TEXT NOT NULL,
    source_id BLOB NOT NULL,
    provenance TEXT NOT NULL,
    property TEXT NOT NULL,
    trust INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    content_mac BLOB NOT NULL,
    PRIMARY KEY (guest_id, record_id)
) STRICT, WITHOUT ROWID;
