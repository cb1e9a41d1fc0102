-- Fields whose values should be made sure of again; which value it is stays sealed where it is.
CREATE TABLE quality_finding (
    guest_id BLOB NOT NULL,
    field TEXT NOT NULL,
    fault TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    settled_at INTEGER NULL,
    settled TEXT NULL,
    PRIMARY KEY (guest_id, field, fault)
) STRICT, WITHOUT ROWID;
