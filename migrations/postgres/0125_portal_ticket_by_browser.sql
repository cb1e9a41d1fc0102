CREATE INDEX portal_ticket_by_browser ON portal_ticket (browser, created_at);
