CREATE INDEX request_open ON request (due_on, request_id) WHERE state NOT IN ('done', 'denied', 'duplicate', 'revoked');
