CREATE INDEX review_by_guest ON review (guest_id);
