CREATE INDEX browser_session_by_guest ON browser_session (guest_id, token);
