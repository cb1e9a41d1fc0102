CREATE INDEX blind_index_by_record ON blind_index (guest_id, record_id);
