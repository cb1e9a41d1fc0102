-- The consent ledger: append-only.
CREATE TABLE consent (
    guest_id BLOB NOT NULL,
    consent_id BLOB NOT NULL,
    purpose TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    channel TEXT NOT NULL,
    indication TEXT NOT NULL,
    notice_id BLOB NULL,
    record_id BLOB NULL,
    property TEXT NOT NULL,
    captured_by BLOB NOT NULL,
    captured_actor TEXT NULL,
    valid_until INTEGER NULL,
    evidence BLOB NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (guest_id, consent_id)
) STRICT, WITHOUT ROWID;
