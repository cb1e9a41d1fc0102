-- What happened to a request, in order: words and dates, no free text.
CREATE TABLE request_step (
    request_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    step TEXT NOT NULL,
    ground TEXT NULL,
    principal BLOB NOT NULL,
    actor TEXT NULL,
    PRIMARY KEY (request_id, number)
) STRICT, WITHOUT ROWID;
