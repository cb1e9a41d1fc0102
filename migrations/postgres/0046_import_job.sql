-- One import: who began it, how far it came, what became of its records.
CREATE TABLE import_job (
    import_id UUID NOT NULL PRIMARY KEY,
    principal UUID NOT NULL,
    property TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    records BIGINT NOT NULL,
    created BIGINT NOT NULL,
    linked BIGINT NOT NULL,
    review BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    partial BIGINT NOT NULL
);
