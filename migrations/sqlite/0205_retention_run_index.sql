-- One run goes on at a time.
CREATE UNIQUE INDEX retention_run_one ON retention_run (dry_run)
    WHERE dry_run = FALSE AND state IN ('counting', 'waiting', 'running');
