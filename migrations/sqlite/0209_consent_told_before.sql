-- By how much a source's clock was ahead was not kept: by as much as was believed. Said again, such a yes is no new one.
UPDATE consent SET told_at = at + 300000000 WHERE record_id IS NOT NULL AND state IN ('given', 'renewed');
