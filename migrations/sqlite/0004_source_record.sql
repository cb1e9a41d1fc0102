-- Where the record of a source system and id is: the keyed token makes it unique without showing the id.
CREATE TABLE source_record (
    token BLOB NOT NULL,
    guest_id BLOB NOT NULL,
    record_id BLOB NOT NULL,
    PRIMARY KEY (token)
) STRICT, WITHOUT ROWID;
