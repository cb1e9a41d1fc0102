CREATE INDEX identity_token_by_record ON identity_token (guest_id, record_id);
