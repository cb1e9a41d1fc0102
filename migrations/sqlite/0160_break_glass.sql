-- Emergencies: who opened which guest, until when, and by when somebody else has to judge it. No reason stands here: it is
-- in the log's detail, sealed.
CREATE TABLE break_glass (
    guest_id BLOB NOT NULL,
    entry_id BLOB NOT NULL,
    principal BLOB NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    property TEXT NOT NULL,
    purpose TEXT NOT NULL,
    open_until INTEGER NOT NULL,
    judge_by INTEGER NOT NULL,
    PRIMARY KEY (guest_id, entry_id)
) STRICT, WITHOUT ROWID;
