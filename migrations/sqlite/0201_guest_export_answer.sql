-- Which answer hands the export out: of two, the one that went on last.
ALTER TABLE guest_export ADD COLUMN answer BLOB NULL;
