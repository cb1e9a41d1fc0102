CREATE INDEX guest_merge_by_absorbed ON guest_merge (absorbed);
