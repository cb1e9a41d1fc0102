CREATE INDEX browser_session_by_end ON browser_session (ends_at, token);
