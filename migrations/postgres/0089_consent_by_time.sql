CREATE INDEX consent_by_time ON consent (at, purpose, recipient, state, channel, notice_id);
