-- The record of every look, durable before the answer; leaf is what the log commits to, detail can be deleted.
CREATE TABLE audit_event (
    entry_id UUID NOT NULL,
    writer UUID NOT NULL,
    writer_seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    guest_id UUID NULL,
    principal UUID NOT NULL,
    actor TEXT NULL,
    property TEXT NULL,
    purpose TEXT NULL,
    action TEXT NOT NULL,
    decision TEXT NOT NULL,
    leaf BYTEA NOT NULL,
    detail BYTEA NULL,
    PRIMARY KEY (entry_id)
);
