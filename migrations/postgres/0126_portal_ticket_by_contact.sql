CREATE INDEX portal_ticket_by_contact ON portal_ticket (contact, created_at);
