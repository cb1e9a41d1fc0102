-- Notices shown to guests, never changed once published: `sequence` counts those of a purpose, `version` those of a
-- purpose and language. `terms` grows when purpose, recipients, categories, retention, methods or controller
-- change, and stays when only the wording does.
CREATE TABLE notice (
    notice_id BLOB NOT NULL,
    purpose TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    language TEXT NOT NULL,
    version INTEGER NOT NULL,
    terms INTEGER NOT NULL,
    terms_hash BLOB NOT NULL,
    text BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    details TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_until INTEGER NULL,
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    PRIMARY KEY (notice_id),
    UNIQUE (purpose, sequence)
) STRICT, WITHOUT ROWID;
