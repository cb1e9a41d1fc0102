-- A look at all guests for values that should be made sure of again.
CREATE TABLE quality_review (
    review_id UUID NOT NULL,
    reached UUID NOT NULL,
    looked_at BIGINT NOT NULL,
    bounced BIGINT NOT NULL,
    invalid BIGINT NOT NULL,
    stale BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT NULL,
    PRIMARY KEY (review_id)
);
