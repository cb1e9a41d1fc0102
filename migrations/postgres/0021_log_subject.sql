-- The end of each subject's chain, by the pseudonym in the leaf.
CREATE TABLE log_subject (
    subject BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    leaf_hash BYTEA NOT NULL,
    PRIMARY KEY (subject)
);
