-- Who spoke, and for a child its guardian; sealed.
ALTER TABLE consent ADD COLUMN details BLOB NULL;
