-- A stay, sealed whole: dates and references are whereabouts.
CREATE TABLE stay (
    guest_id UUID NOT NULL,
    stay_token UUID NOT NULL,
    property TEXT NOT NULL,
    record_id UUID NOT NULL,
    version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (guest_id, stay_token)
);
