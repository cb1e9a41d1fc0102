-- Pairs of records of which a steward said that they are of one person; each pair in both orders.
CREATE TABLE kept_together (
    record_id UUID NOT NULL,
    other_id UUID NOT NULL,
    decided_by UUID NOT NULL,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (record_id, other_id)
);
