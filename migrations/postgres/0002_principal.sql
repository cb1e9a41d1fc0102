-- Who may call with an API key. Holds a keyed hash of the secret, never the secret; a revoked row stays, so that
-- the log's principal ids keep their meaning.
CREATE TABLE principal (
    principal_id UUID NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    scope TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    created_by UUID NULL,
    expires_at BIGINT NULL,
    revoked_at BIGINT NULL,
    PRIMARY KEY (principal_id)
);
