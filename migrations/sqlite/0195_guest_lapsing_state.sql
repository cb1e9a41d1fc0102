-- 0: nothing lapses; 1: what is sealed beside it; 2: the guest has changed since, and is to be looked at again.
ALTER TABLE guest ADD COLUMN lapsing_state INTEGER NOT NULL DEFAULT 0;
