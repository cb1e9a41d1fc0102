-- A way into the guests' portal that was given out and not used yet: a code that was sent, or a link. Neither code nor
-- link is here, only keyed hashes; without a guest it is one that leads nowhere.
CREATE TABLE portal_ticket (
    token BLOB NOT NULL,
    kind TEXT NOT NULL,
    guest_id BLOB NULL,
    browser BLOB NULL,
    contact BLOB NULL,
    network BLOB NULL,
    code BLOB NULL,
    tries INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (token)
) STRICT, WITHOUT ROWID;
