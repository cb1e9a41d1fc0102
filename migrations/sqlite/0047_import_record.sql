-- What an import wrote, to take it back: the record, the guest's version after it, and whether the record is new.
CREATE TABLE import_record (
    import_id BLOB NOT NULL,
    guest_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    source_token BLOB NOT NULL,
    version INTEGER NOT NULL,
    made INTEGER NOT NULL,
    PRIMARY KEY (guest_id, record_id, import_id)
) STRICT, WITHOUT ROWID;
