-- An order to keep what is stored about a guest; the matter is sealed.
CREATE TABLE hold (
    guest_id BLOB NOT NULL,
    hold_id BLOB NOT NULL,
    matter BLOB NOT NULL,
    ground TEXT NOT NULL,
    categories TEXT NOT NULL,
    review_on TEXT NOT NULL,
    author BLOB NOT NULL,
    author_actor TEXT NULL,
    approver BLOB NULL,
    approver_actor TEXT NULL,
    created_at INTEGER NOT NULL,
    lifted_at INTEGER NULL,
    lifted_by BLOB NULL,
    PRIMARY KEY (guest_id, hold_id)
) STRICT, WITHOUT ROWID;
