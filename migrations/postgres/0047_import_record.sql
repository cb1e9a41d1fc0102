-- What an import wrote, to take it back: the record, the guest's version after it, and whether the record is new.
CREATE TABLE import_record (
    import_id UUID NOT NULL,
    guest_id UUID NOT NULL,
    record_id UUID NOT NULL,
    source_token BYTEA NOT NULL,
    version BIGINT NOT NULL,
    made BOOLEAN NOT NULL,
    PRIMARY KEY (guest_id, record_id, import_id)
);
