-- Whom an erasure was told to, and what each answered: signed, or not at all.
CREATE TABLE erasure_notice (
    guest_id UUID NOT NULL,
    erasure_id UUID NOT NULL,
    processor TEXT NOT NULL,
    told_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    answer TEXT NULL,
    ground TEXT NULL,
    answered_at BIGINT NULL,
    signature TEXT NULL,
    unproven BIGINT NOT NULL,
    PRIMARY KEY (guest_id, erasure_id, processor)
);
