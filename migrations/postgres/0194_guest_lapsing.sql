-- What of a guest will have had its time in the days to come, sealed: what only a look at all of the guest can tell.
ALTER TABLE guest ADD COLUMN lapsing BYTEA NULL;
