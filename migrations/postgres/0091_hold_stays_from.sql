-- Stays that the hold is about: from this day on (arrival or after); NULL: no such bound.
ALTER TABLE hold ADD COLUMN stays_from TEXT NULL;
