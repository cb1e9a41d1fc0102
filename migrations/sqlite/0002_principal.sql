-- Who may call with an API key. Holds a keyed hash of the secret, never the secret; a revoked row stays, so that
-- the log's principal ids keep their meaning.
CREATE TABLE principal (
    principal_id BLOB NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    scope TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    created_by BLOB NULL,
    expires_at INTEGER NULL,
    revoked_at INTEGER NULL,
    PRIMARY KEY (principal_id)
) STRICT, WITHOUT ROWID;
