-- Signed messages of agents that were taken in, until they run out: none counts twice.
CREATE TABLE agent_message (
    digest BLOB NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (digest)
) STRICT, WITHOUT ROWID;
