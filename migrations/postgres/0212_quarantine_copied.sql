-- What the copy was before anything in it was changed, sealed: a restore that is begun anew needs it.
ALTER TABLE quarantine ADD COLUMN copied BYTEA NULL;
