-- An erasure under way or done: what a start after a crash goes on with.
CREATE TABLE erasure (
    guest_id UUID NOT NULL,
    erasure_id UUID NOT NULL,
    case_id UUID NOT NULL,
    whole BOOLEAN NOT NULL,
    categories TEXT NOT NULL,
    stage TEXT NOT NULL,
    intent UUID NOT NULL,
    confirmation UUID NULL,
    keys BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (guest_id, erasure_id)
);
