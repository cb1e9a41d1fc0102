-- At which house a step was taken: who had to do with a case keeps it, also when its guest is erased.
ALTER TABLE request_step ADD COLUMN property TEXT NULL;
