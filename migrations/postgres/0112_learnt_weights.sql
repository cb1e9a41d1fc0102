-- What stewards' answers have taught: how far each weight lies from the shipped one, in thousandths of a bit. The newest
-- version counts.
CREATE TABLE learnt_weights (
    version BIGINT NOT NULL,
    shifts TEXT NOT NULL,
    answers BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    made_by UUID NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (version)
);
