CREATE INDEX review_by_other ON review (other_id);
