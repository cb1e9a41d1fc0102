-- A look at all guests for what has had its time: counted first, then erased. It names nobody.
CREATE TABLE retention_run (
    run_id BLOB NOT NULL,
    dry_run INTEGER NOT NULL,
    as_of TEXT NOT NULL,
    rules TEXT NULL,
    state TEXT NOT NULL,
    reached BLOB NOT NULL,
    looked_at INTEGER NOT NULL,
    due INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    counts TEXT NOT NULL,
    author BLOB NOT NULL,
    author_actor TEXT NULL,
    approver BLOB NULL,
    approver_actor TEXT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (run_id)
) STRICT, WITHOUT ROWID;
