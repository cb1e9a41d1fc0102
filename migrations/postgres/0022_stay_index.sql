-- Keyed tokens of stays: reservation numbers and days at a property; begins with the token so that it shards by it.
CREATE TABLE stay_index (
    token BYTEA NOT NULL,
    guest_id UUID NOT NULL,
    stay_token UUID NOT NULL,
    PRIMARY KEY (token, guest_id, stay_token)
);
