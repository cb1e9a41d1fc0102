-- A look at all guests for values that should be made sure of again.
CREATE TABLE quality_review (
    review_id BLOB NOT NULL,
    reached BLOB NOT NULL,
    looked_at INTEGER NOT NULL,
    bounced INTEGER NOT NULL,
    invalid INTEGER NOT NULL,
    stale INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER NULL,
    PRIMARY KEY (review_id)
) STRICT, WITHOUT ROWID;
