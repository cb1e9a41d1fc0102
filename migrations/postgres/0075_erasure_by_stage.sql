CREATE INDEX erasure_by_stage ON erasure (stage, guest_id, erasure_id);
