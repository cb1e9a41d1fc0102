-- Notices shown to guests, never changed once published: `sequence` counts those of a purpose, `version` those of a
-- purpose and language. `terms` grows when purpose, recipients, categories, retention, methods or controller
-- change, and stays when only the wording does.
CREATE TABLE notice (
    notice_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    language TEXT NOT NULL,
    version BIGINT NOT NULL,
    terms BIGINT NOT NULL,
    terms_hash BYTEA NOT NULL,
    text BYTEA NOT NULL,
    sha256 BYTEA NOT NULL,
    details TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_until BIGINT NULL,
    created_at BIGINT NOT NULL,
    created_by UUID NOT NULL,
    PRIMARY KEY (notice_id),
    UNIQUE (purpose, sequence)
);
