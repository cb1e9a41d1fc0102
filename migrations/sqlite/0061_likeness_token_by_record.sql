CREATE INDEX likeness_token_by_record ON likeness_token (guest_id, record_id);
