CREATE INDEX review_by_priority ON review (state, priority, review_id);
