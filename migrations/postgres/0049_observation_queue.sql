-- The stewards' queue: which observations wait at a property, oldest first.
CREATE TABLE observation_queue (
    property TEXT NOT NULL,
    observation_id UUID NOT NULL,
    guest_id UUID NOT NULL,
    PRIMARY KEY (guest_id, observation_id)
);
