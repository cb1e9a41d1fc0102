-- One data key per guest and category, wrapped under a key derived from the epoch and the guest.
CREATE TABLE data_key (
    guest_id UUID NOT NULL,
    category BIGINT NOT NULL,
    version BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (guest_id, category)
);
