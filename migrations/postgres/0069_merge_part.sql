-- What a merge put beside the survivor's own and undoing takes away again: copies of stays and consents, and what was
-- said again because the strictest wins.
CREATE TABLE merge_part (
    merge_id UUID NOT NULL,
    kind TEXT NOT NULL,
    part_id UUID NOT NULL,
    PRIMARY KEY (merge_id, kind, part_id)
);
