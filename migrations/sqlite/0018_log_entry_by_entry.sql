CREATE UNIQUE INDEX log_entry_by_entry ON log_entry (entry_id);
