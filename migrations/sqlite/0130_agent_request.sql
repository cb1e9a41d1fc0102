-- What an agent calls its request, where it wants to be told of it, and what it was told last.
CREATE TABLE agent_request (
    request_id BLOB NOT NULL PRIMARY KEY,
    name TEXT NULL,
    callback TEXT NULL,
    told TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at INTEGER NULL
) STRICT, WITHOUT ROWID;
