-- The provable log: how far it has grown, its newest signed checkpoint, and who may grow it until when.
CREATE TABLE log_head (
    log TEXT NOT NULL,
    origin TEXT NOT NULL,
    size BIGINT NOT NULL,
    checkpoint TEXT NOT NULL,
    holder UUID NULL,
    held_until BIGINT NOT NULL,
    PRIMARY KEY (log)
);
