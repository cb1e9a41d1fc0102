CREATE INDEX hold_by_review ON hold (review_on, guest_id, hold_id) WHERE lifted_at IS NULL;
