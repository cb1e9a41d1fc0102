CREATE INDEX agent_request_by_next ON agent_request (next_at, request_id);
