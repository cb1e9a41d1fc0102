-- The terms of the notice shown; 0: no notice.
ALTER TABLE consent ADD COLUMN terms BIGINT NOT NULL DEFAULT 0;
