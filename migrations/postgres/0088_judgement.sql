-- What an officer thinks of a reveal: whether it was called for.
CREATE TABLE judgement (
    entry_id UUID NOT NULL,
    verdict TEXT NOT NULL,
    principal UUID NOT NULL,
    actor TEXT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (entry_id)
);
