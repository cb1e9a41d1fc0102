-- The vault's own keys, each wrapped by the root key, with a check value that tells a wrong root key from damage.
CREATE TABLE vault_key (
    purpose TEXT NOT NULL,
    version BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    key_check BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT NULL,
    PRIMARY KEY (purpose, version)
);
