-- The next number of each writer that has no index yet.
CREATE TABLE log_writer (
    writer BLOB NOT NULL,
    next_seq INTEGER NOT NULL,
    PRIMARY KEY (writer)
) STRICT, WITHOUT ROWID;
