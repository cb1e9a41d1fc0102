-- A request of a guest: its clock and state. What was found and decided is sealed.
CREATE TABLE request (
    request_id BLOB NOT NULL,
    guest_id BLOB NULL,
    kind TEXT NOT NULL,
    regime TEXT NOT NULL,
    state TEXT NOT NULL,
    via TEXT NOT NULL,
    property TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    due_on TEXT NULL,
    extended INTEGER NOT NULL,
    stopped_days INTEGER NOT NULL,
    stopped_since INTEGER NULL,
    duplicate_of BLOB NULL,
    opened_by BLOB NOT NULL,
    opened_actor TEXT NULL,
    version INTEGER NOT NULL,
    outcome BLOB NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (request_id)
) STRICT, WITHOUT ROWID;
