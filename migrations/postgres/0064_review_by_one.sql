CREATE INDEX review_by_one ON review (one_id);
