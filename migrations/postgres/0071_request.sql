-- A request of a guest: its clock and state. What was found and decided is sealed.
CREATE TABLE request (
    request_id UUID NOT NULL,
    guest_id UUID NULL,
    kind TEXT NOT NULL,
    regime TEXT NOT NULL,
    state TEXT NOT NULL,
    via TEXT NOT NULL,
    property TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    due_on TEXT NULL,
    extended BOOLEAN NOT NULL,
    stopped_days BIGINT NOT NULL,
    stopped_since BIGINT NULL,
    duplicate_of UUID NULL,
    opened_by UUID NOT NULL,
    opened_actor TEXT NULL,
    version BIGINT NOT NULL,
    outcome BYTEA NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (request_id)
);
