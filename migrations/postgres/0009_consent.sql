-- The consent ledger: append-only.
CREATE TABLE consent (
    guest_id UUID NOT NULL,
    consent_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    channel TEXT NOT NULL,
    indication TEXT NOT NULL,
    notice_id UUID NULL,
    record_id UUID NULL,
    property TEXT NOT NULL,
    captured_by UUID NOT NULL,
    captured_actor TEXT NULL,
    valid_until BIGINT NULL,
    evidence BYTEA NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (guest_id, consent_id)
);
