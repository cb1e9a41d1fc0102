-- The last guest up to whom those handed out are counted.
ALTER TABLE guest_export ADD COLUMN reached BLOB NULL;
