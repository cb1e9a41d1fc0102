-- What an agent calls its request, where it wants to be told of it, and what it was told last.
CREATE TABLE agent_request (
    request_id UUID NOT NULL PRIMARY KEY,
    name TEXT NULL,
    callback TEXT NULL,
    told TEXT NOT NULL,
    tries BIGINT NOT NULL,
    next_at BIGINT NULL
);
