-- A look at all guests for what has had its time: counted first, then erased. It names nobody.
CREATE TABLE retention_run (
    run_id UUID NOT NULL,
    dry_run BOOLEAN NOT NULL,
    as_of TEXT NOT NULL,
    rules TEXT NULL,
    state TEXT NOT NULL,
    reached UUID NOT NULL,
    looked_at BIGINT NOT NULL,
    due BIGINT NOT NULL,
    gone BIGINT NOT NULL,
    conflicts BIGINT NOT NULL,
    counts TEXT NOT NULL,
    author UUID NOT NULL,
    author_actor TEXT NULL,
    approver UUID NULL,
    approver_actor TEXT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (run_id)
);
