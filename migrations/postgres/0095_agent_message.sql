-- Signed messages of agents that were taken in, until they run out: none counts twice.
CREATE TABLE agent_message (
    digest BYTEA NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (digest)
);
