-- An erasure under way or done: what a start after a crash goes on with.
CREATE TABLE erasure (
    guest_id BLOB NOT NULL,
    erasure_id BLOB NOT NULL,
    case_id BLOB NOT NULL,
    whole INTEGER NOT NULL,
    categories TEXT NOT NULL,
    stage TEXT NOT NULL,
    intent BLOB NOT NULL,
    confirmation BLOB NULL,
    keys INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (guest_id, erasure_id)
) STRICT, WITHOUT ROWID;
