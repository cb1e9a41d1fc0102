-- The index of each audit event in the log, and its place in the chain of its subject.
CREATE TABLE log_entry (
    log_index INTEGER NOT NULL,
    entry_id BLOB NOT NULL,
    subject_seq INTEGER NULL,
    previous BLOB NULL,
    PRIMARY KEY (log_index)
) STRICT, WITHOUT ROWID;
