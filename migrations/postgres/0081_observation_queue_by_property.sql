CREATE INDEX observation_queue_by_property ON observation_queue (property, observation_id);
