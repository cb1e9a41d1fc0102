CREATE INDEX portal_ticket_by_guest ON portal_ticket (guest_id, token);
