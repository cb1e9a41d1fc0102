-- The guest register's own copy of a stay, sealed whole; kept when the rest of the guest is erased.
CREATE TABLE register_entry (
    guest_id BLOB NOT NULL,
    entry_id BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (guest_id, entry_id)
) STRICT, WITHOUT ROWID;
