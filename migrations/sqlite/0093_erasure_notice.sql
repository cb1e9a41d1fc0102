-- Whom an erasure was told to, and what each answered: signed, or not at all.
CREATE TABLE erasure_notice (
    guest_id BLOB NOT NULL,
    erasure_id BLOB NOT NULL,
    processor TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    answer TEXT NULL,
    ground TEXT NULL,
    answered_at INTEGER NULL,
    signature TEXT NULL,
    unproven INTEGER NOT NULL,
    PRIMARY KEY (guest_id, erasure_id, processor)
) STRICT, WITHOUT ROWID;
