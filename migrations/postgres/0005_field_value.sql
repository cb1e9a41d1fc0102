-- One sealed value: one field of one record.
CREATE TABLE field_value (
    guest_id UUID NOT NULL,
    record_id UUID NOT NULL,
    field TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    pinned BOOLEAN NOT NULL,
    verified BOOLEAN NOT NULL,
    trust BIGINT NOT NULL,
    observed_at BIGINT NOT NULL,
    PRIMARY KEY (guest_id, record_id, field)
);
