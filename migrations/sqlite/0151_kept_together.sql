-- Pairs of records of which a steward said that they are of one person; each pair in both orders.
CREATE TABLE kept_together (
    record_id BLOB NOT NULL,
    other_id BLOB NOT NULL,
    decided_by BLOB NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (record_id, other_id)
) STRICT, WITHOUT ROWID;
