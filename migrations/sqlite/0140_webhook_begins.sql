-- After which place of the feed a receiver was told anything at all.
ALTER TABLE webhook ADD COLUMN begins INTEGER NOT NULL DEFAULT 0;
