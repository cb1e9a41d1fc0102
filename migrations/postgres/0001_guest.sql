-- A guest: a cluster of source records. Holds no value, only its version and fate.
CREATE TABLE guest (
    guest_id UUID NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    survivor UUID NULL,
    manager_token BYTEA NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (guest_id)
);
