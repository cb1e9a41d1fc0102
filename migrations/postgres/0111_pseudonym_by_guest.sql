CREATE INDEX pseudonym_by_guest ON pseudonym (guest_id);
