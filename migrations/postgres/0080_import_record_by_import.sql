CREATE INDEX import_record_by_import ON import_record (import_id, guest_id);
