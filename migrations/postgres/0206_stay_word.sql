-- The last word of each voice about a stay of which several told, sealed whole: the table stay has what they come to. A
-- voice is a record; where staff spoke of what no record had told, the guest of whom they said it.
CREATE TABLE stay_word (
    guest_id UUID NOT NULL,
    stay_token UUID NOT NULL,
    voice TEXT NOT NULL,
    way TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (guest_id, stay_token, voice)
);
