-- An export of many guests: who ordered it, who agreed, how far it came. It names no guest.
CREATE TABLE guest_export (
    export_id UUID NOT NULL,
    property TEXT NOT NULL,
    purpose TEXT NOT NULL,
    fields TEXT NOT NULL,
    state TEXT NOT NULL,
    guests BIGINT NOT NULL,
    author UUID NOT NULL,
    author_actor TEXT NULL,
    approver UUID NULL,
    approver_actor TEXT NULL,
    created_at BIGINT NOT NULL,
    open_until BIGINT NOT NULL,
    PRIMARY KEY (export_id)
);
