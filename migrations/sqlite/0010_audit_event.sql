-- The record of every look, durable before the answer; leaf is what the log commits to, detail can be deleted.
CREATE TABLE audit_event (
    entry_id BLOB NOT NULL,
    writer BLOB NOT NULL,
    writer_seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    guest_id BLOB NULL,
    principal BLOB NOT NULL,
    actor TEXT NULL,
    property TEXT NULL,
    purpose TEXT NULL,
    action TEXT NOT NULL,
    decision TEXT NOT NULL,
    leaf BLOB NOT NULL,
    detail BLOB NULL,
    PRIMARY KEY (entry_id)
) STRICT, WITHOUT ROWID;
