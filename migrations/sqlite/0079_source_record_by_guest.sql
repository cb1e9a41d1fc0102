CREATE INDEX source_record_by_guest ON source_record (guest_id);
