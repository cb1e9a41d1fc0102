-- The vault's own keys, each wrapped by the root key, with a check value that tells a wrong root key from damage.
CREATE TABLE vault_key (
    purpose TEXT NOT NULL,
    version INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    key_check BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER NULL,
    PRIMARY KEY (purpose, version)
) STRICT, WITHOUT ROWID;
