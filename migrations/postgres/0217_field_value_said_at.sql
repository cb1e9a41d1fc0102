-- When a record last said a value that it had said before; without one that is `observed_at`, since when it says so.
ALTER TABLE field_value ADD COLUMN said_at BIGINT NULL;
