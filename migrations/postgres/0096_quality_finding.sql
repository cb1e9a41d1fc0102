-- Fields whose values should be made sure of again; which value it is stays sealed where it is.
CREATE TABLE quality_finding (
    guest_id UUID NOT NULL,
    field TEXT NOT NULL,
    fault TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    settled_at BIGINT NULL,
    settled TEXT NULL,
    PRIMARY KEY (guest_id, field, fault)
);
