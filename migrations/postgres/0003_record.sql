-- What one source system says about one person; its values lie in field_value.
CREATE TABLE record (
    guest_id UUID NOT NULL,
    record_id UUID NOT NULL,
    source_system TEXT NOT NULL,
    source_id BYTEA NOT NULL,
    provenance TEXT NOT NULL,
    property TEXT NOT NULL,
    trust BIGINT NOT NULL,
    observed_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    content_mac BYTEA NOT NULL,
    PRIMARY KEY (guest_id, record_id)
);
