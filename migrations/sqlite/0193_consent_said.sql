-- What was said is counted by kind and week: each is a range of this index.
CREATE INDEX consent_said ON consent (purpose, recipient, state, channel, notice_id, at);
