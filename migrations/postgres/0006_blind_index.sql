-- Keyed tokens of near-unique values, to find guests by; begins with the token so that it shards by it.
CREATE TABLE blind_index (
    token BYTEA NOT NULL,
    guest_id UUID NOT NULL,
    record_id UUID NOT NULL,
    field TEXT NOT NULL,
    PRIMARY KEY (token, guest_id, record_id, field)
);
