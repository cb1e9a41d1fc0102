-- Whom a guest took in.
CREATE INDEX guest_merge_by_survivor ON guest_merge (survivor);
