CREATE INDEX stay_index_by_stay ON stay_index (guest_id, stay_token);
