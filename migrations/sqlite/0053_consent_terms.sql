-- The terms of the notice shown; 0: no notice.
ALTER TABLE consent ADD COLUMN terms INTEGER NOT NULL DEFAULT 0;
