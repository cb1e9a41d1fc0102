CREATE INDEX request_by_guest ON request (guest_id, request_id);
