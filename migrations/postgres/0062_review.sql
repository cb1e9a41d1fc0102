-- Two guests that may be one: a steward's question, and its answer. Bits are in thousandths; reasons are names of
-- fields and levels, never values.
CREATE TABLE review (
    review_id UUID NOT NULL,
    kind TEXT NOT NULL,
    one_id UUID NOT NULL,
    record_id UUID NOT NULL,
    other_id UUID NOT NULL,
    bits BIGINT NOT NULL,
    reasons TEXT NOT NULL,
    weights TEXT NOT NULL,
    property TEXT NOT NULL,
    priority BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    decided_at BIGINT NULL,
    decided_by UUID NULL,
    PRIMARY KEY (review_id)
);
