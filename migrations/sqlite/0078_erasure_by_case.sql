CREATE INDEX erasure_by_case ON erasure (case_id, erasure_id);
