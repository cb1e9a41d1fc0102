-- A browser that is signed in: found by the hash of its secret. A guest, or a member of the staff with a role.
CREATE TABLE browser_session (
    token BLOB NOT NULL,
    guest_id BLOB NULL,
    principal BLOB NULL,
    role TEXT NULL,
    scope TEXT NULL,
    actor TEXT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    proved_at INTEGER NULL,
    PRIMARY KEY (token)
) STRICT, WITHOUT ROWID;
