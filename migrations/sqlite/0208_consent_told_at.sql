-- When it was said as its source dates it. A clock of a source that was ahead moves when the line counts from, not this.
ALTER TABLE consent ADD COLUMN told_at INTEGER NULL;
