-- Where the record of a source system and id is: the keyed token makes it unique without showing the id.
CREATE TABLE source_record (
    token BYTEA NOT NULL,
    guest_id UUID NOT NULL,
    record_id UUID NOT NULL,
    PRIMARY KEY (token)
);
