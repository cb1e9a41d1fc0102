-- Notes that low-privilege posts leave and cannot read, sealed, until a steward decides about them.
CREATE TABLE observation (
    guest_id UUID NOT NULL,
    observation_id UUID NOT NULL,
    property TEXT NOT NULL,
    principal UUID NOT NULL,
    actor TEXT NULL,
    drawer TEXT NOT NULL,
    at BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (guest_id, observation_id)
);
