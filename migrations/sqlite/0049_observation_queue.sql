-- The stewards' queue: which observations wait at a property, oldest first.
CREATE TABLE observation_queue (
    property TEXT NOT NULL,
    observation_id BLOB NOT NULL,
    guest_id BLOB NOT NULL,
    PRIMARY KEY (guest_id, observation_id)
) STRICT, WITHOUT ROWID;
