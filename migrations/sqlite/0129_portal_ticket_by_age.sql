CREATE INDEX portal_ticket_by_age ON portal_ticket (created_at, token);
