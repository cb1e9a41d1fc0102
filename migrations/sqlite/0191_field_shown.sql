-- When each field was last shown to anybody, by the log.
CREATE TABLE field_shown (
    field TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (field)
) STRICT, WITHOUT ROWID;
