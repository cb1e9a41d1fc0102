-- Records that a steward said are of different people; both ways round. They outlive merges and new weights.
CREATE TABLE kept_apart (
    record_id UUID NOT NULL,
    other_id UUID NOT NULL,
    decided_by UUID NOT NULL,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (record_id, other_id)
);
