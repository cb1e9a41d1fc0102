-- The kind of separate consent (PIPL Art. 23, 25, 29, 39); empty: an ordinary one.
ALTER TABLE consent ADD COLUMN separate TEXT NOT NULL DEFAULT '';
