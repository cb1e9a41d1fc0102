-- The first entry of the log that was not yet looked at for when fields were last shown.
ALTER TABLE log_head ADD COLUMN shown_to BIGINT NOT NULL DEFAULT 0;
