-- The guest register's own copy of a stay, sealed whole; kept when the rest of the guest is erased.
CREATE TABLE register_entry (
    guest_id UUID NOT NULL,
    entry_id UUID NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (guest_id, entry_id)
);
