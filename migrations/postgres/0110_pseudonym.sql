-- The handle by which one consumer knows a guest; no two consumers have the same. Begins with the token so that it shards
-- by it.
CREATE TABLE pseudonym (
    token BYTEA NOT NULL,
    guest_id UUID NOT NULL,
    principal_id UUID NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (token)
);
