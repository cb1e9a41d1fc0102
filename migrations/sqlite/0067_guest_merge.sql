-- A guest taken into another. The absorbed guest's sealed rows stay where they are, asleep, so that undoing it gives
-- them back to the byte.
CREATE TABLE guest_merge (
    merge_id BLOB NOT NULL,
    survivor BLOB NOT NULL,
    absorbed BLOB NOT NULL,
    state TEXT NOT NULL,
    bits INTEGER NOT NULL,
    weights TEXT NOT NULL,
    manager_moved INTEGER NOT NULL,
    done_by BLOB NOT NULL,
    done_at INTEGER NOT NULL,
    undone_by BLOB NULL,
    undone_at INTEGER NULL,
    PRIMARY KEY (merge_id)
) STRICT, WITHOUT ROWID;
