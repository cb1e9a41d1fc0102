-- The index of each audit event in the log, and its place in the chain of its subject.
CREATE TABLE log_entry (
    log_index BIGINT NOT NULL,
    entry_id UUID NOT NULL,
    subject_seq BIGINT NULL,
    previous BYTEA NULL,
    PRIMARY KEY (log_index)
);
