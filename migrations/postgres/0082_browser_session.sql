-- A browser that is signed in: found by the hash of its secret. A guest, or a member of the staff with a role.
CREATE TABLE browser_session (
    token BYTEA NOT NULL,
    guest_id UUID NULL,
    principal UUID NULL,
    role TEXT NULL,
    scope TEXT NULL,
    actor TEXT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    proved_at BIGINT NULL,
    PRIMARY KEY (token)
);
