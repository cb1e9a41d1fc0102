-- The property, brand or group it was said for; empty: everywhere.
ALTER TABLE consent ADD COLUMN scope TEXT NOT NULL DEFAULT '';
