-- An export of many guests: who ordered it, who agreed, how far it came. It names no guest.
CREATE TABLE guest_export (
    export_id BLOB NOT NULL,
    property TEXT NOT NULL,
    purpose TEXT NOT NULL,
    fields TEXT NOT NULL,
    state TEXT NOT NULL,
    guests INTEGER NOT NULL,
    author BLOB NOT NULL,
    author_actor TEXT NULL,
    approver BLOB NULL,
    approver_actor TEXT NULL,
    created_at INTEGER NOT NULL,
    open_until INTEGER NOT NULL,
    PRIMARY KEY (export_id)
) STRICT, WITHOUT ROWID;
