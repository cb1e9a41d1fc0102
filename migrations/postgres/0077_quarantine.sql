-- A database that was restored and has not yet been held against the log: nothing is served from it.
CREATE TABLE quarantine (
    since BIGINT NOT NULL,
    log_size BIGINT NOT NULL,
    PRIMARY KEY (since)
);
