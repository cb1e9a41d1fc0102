-- A processor answers with the id of the erasure.
CREATE INDEX erasure_notice_by_erasure ON erasure_notice (erasure_id);
