-- What holders of roles must have current: confidentiality, training, a partner's recipient.
CREATE TABLE attestation (
    holder TEXT NOT NULL,
    kind TEXT NOT NULL,
    valid_until INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (holder, kind)
) STRICT, WITHOUT ROWID;
