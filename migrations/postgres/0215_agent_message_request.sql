-- The request that a message has opened: sent again, it is answered with that one.
ALTER TABLE agent_message ADD COLUMN request_id UUID NULL;
