-- Of runs that were begun at the same moment the first one counts.
UPDATE retention_run SET state = 'rejected'
WHERE dry_run = FALSE AND state IN ('counting', 'waiting', 'running') AND run_id <> (
    SELECT run_id FROM retention_run
    WHERE dry_run = FALSE AND state IN ('counting', 'waiting', 'running')
    ORDER BY run_id LIMIT 1
);
