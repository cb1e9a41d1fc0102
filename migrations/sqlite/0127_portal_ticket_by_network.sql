CREATE INDEX portal_ticket_by_network ON portal_ticket (network, created_at);
