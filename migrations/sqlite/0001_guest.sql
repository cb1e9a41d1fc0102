-- A guest: a cluster of source records. Holds no value, only its version and fate.
CREATE TABLE guest (
    guest_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    survivor BLOB NULL,
    manager_token BLOB NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (guest_id)
) STRICT, WITHOUT ROWID;
