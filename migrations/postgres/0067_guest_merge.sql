-- A guest taken into another. The absorbed guest's sealed rows stay where they are, asleep, so that undoing it gives
-- them back to the byte.
CREATE TABLE guest_merge (
    merge_id UUID NOT NULL,
    survivor UUID NOT NULL,
    absorbed UUID NOT NULL,
    state TEXT NOT NULL,
    bits BIGINT NOT NULL,
    weights TEXT NOT NULL,
    manager_moved BIGINT NOT NULL,
    done_by UUID NOT NULL,
    done_at BIGINT NOT NULL,
    undone_by UUID NULL,
    undone_at BIGINT NULL,
    PRIMARY KEY (merge_id)
);
