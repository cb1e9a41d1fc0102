-- After which guest another answer may go on at the earliest.
ALTER TABLE guest_export ADD COLUMN place BLOB NULL;
