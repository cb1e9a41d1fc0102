-- Stays that the hold is about: until this day; NULL: no such bound.
ALTER TABLE hold ADD COLUMN stays_to TEXT NULL;
