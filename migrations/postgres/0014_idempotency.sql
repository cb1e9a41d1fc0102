-- Answers of creating calls, kept a day so that a retry gets the same one.
CREATE TABLE idempotency (
    principal UUID NOT NULL,
    key_mac BYTEA NOT NULL,
    body_mac BYTEA NOT NULL,
    status BIGINT NOT NULL,
    answer BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (principal, key_mac)
);
