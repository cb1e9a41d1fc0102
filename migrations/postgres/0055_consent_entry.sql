-- The entry of the audit log that committed to the line.
ALTER TABLE consent ADD COLUMN entry_id UUID NULL;
