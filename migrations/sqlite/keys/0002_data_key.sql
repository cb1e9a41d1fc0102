-- One data key per guest and category, wrapped under a key derived from the epoch and the guest.
CREATE TABLE data_key (
    guest_id BLOB NOT NULL,
    category INTEGER NOT NULL,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (guest_id, category)
) STRICT, WITHOUT ROWID;
