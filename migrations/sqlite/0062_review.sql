-- Two guests that may be one: a steward's question, and its answer. Bits are in thousandths; reasons are names of
-- fields and levels, never values.
CREATE TABLE review (
    review_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    one_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    other_id BLOB NOT NULL,
    bits INTEGER NOT NULL,
    reasons TEXT NOT NULL,
    weights TEXT NOT NULL,
    property TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    decided_at INTEGER NULL,
    decided_by BLOB NULL,
    PRIMARY KEY (review_id)
) STRICT, WITHOUT ROWID;
