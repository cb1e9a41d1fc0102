-- A database that was restored and has not yet been held against the log: nothing is served from it.
CREATE TABLE quarantine (
    since INTEGER NOT NULL,
    log_size INTEGER NOT NULL,
    PRIMARY KEY (since)
) STRICT, WITHOUT ROWID;
