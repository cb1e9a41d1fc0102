-- The end of each subject's chain, by the pseudonym in the leaf.
CREATE TABLE log_subject (
    subject BLOB NOT NULL,
    seq INTEGER NOT NULL,
    leaf_hash BLOB NOT NULL,
    PRIMARY KEY (subject)
) STRICT, WITHOUT ROWID;
