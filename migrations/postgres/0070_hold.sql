-- An order to keep what is stored about a guest; the matter is sealed.
CREATE TABLE hold (
    guest_id UUID NOT NULL,
    hold_id UUID NOT NULL,
    matter BYTEA NOT NULL,
    ground TEXT NOT NULL,
    categories TEXT NOT NULL,
    review_on TEXT NOT NULL,
    author UUID NOT NULL,
    author_actor TEXT NULL,
    approver UUID NULL,
    approver_actor TEXT NULL,
    created_at BIGINT NOT NULL,
    lifted_at BIGINT NULL,
    lifted_by UUID NULL,
    PRIMARY KEY (guest_id, hold_id)
);
