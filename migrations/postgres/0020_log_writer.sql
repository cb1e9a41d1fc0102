-- The next number of each writer that has no index yet.
CREATE TABLE log_writer (
    writer UUID NOT NULL,
    next_seq BIGINT NOT NULL,
    PRIMARY KEY (writer)
);
