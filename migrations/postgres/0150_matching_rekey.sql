-- How far the tokens of look-alikes are made anew by a new key, so that what was cut off goes on from there.
CREATE TABLE matching_rekey (
    version BIGINT NOT NULL,
    after_id UUID NOT NULL,
    guests BIGINT NOT NULL,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT NULL,
    PRIMARY KEY (version)
);
