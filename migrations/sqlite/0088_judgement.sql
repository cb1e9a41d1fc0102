-- What an officer thinks of a reveal: whether it was called for.
CREATE TABLE judgement (
    entry_id BLOB NOT NULL,
    verdict TEXT NOT NULL,
    principal BLOB NOT NULL,
    actor TEXT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (entry_id)
) STRICT, WITHOUT ROWID;
