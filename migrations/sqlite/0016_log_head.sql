-- The provable log: how far it has grown, its newest signed checkpoint, and who may grow it until when.
CREATE TABLE log_head (
    log TEXT NOT NULL,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    holder BLOB NULL,
    held_until INTEGER NOT NULL,
    PRIMARY KEY (log)
) STRICT, WITHOUT ROWID;
