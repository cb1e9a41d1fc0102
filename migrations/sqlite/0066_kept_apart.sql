-- Records that a steward said are of different people; both ways round. They outlive merges and new weights.
CREATE TABLE kept_apart (
    record_id BLOB NOT NULL,
    other_id BLOB NOT NULL,
    decided_by BLOB NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (record_id, other_id)
) STRICT, WITHOUT ROWID;
