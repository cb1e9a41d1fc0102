-- One import: who began it, how far it came, what became of its records.
CREATE TABLE import_job (
    import_id BLOB NOT NULL PRIMARY KEY,
    principal BLOB NOT NULL,
    property TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    records INTEGER NOT NULL,
    created INTEGER NOT NULL,
    linked INTEGER NOT NULL,
    review INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    partial INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
