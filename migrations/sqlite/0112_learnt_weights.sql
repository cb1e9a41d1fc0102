-- What stewards' answers have taught: how far each weight lies from the shipped one, in thousandths of a bit. The newest
-- version counts.
CREATE TABLE learnt_weights (
    version INTEGER NOT NULL,
    shifts TEXT NOT NULL,
    answers INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    made_by BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (version)
) STRICT, WITHOUT ROWID;
