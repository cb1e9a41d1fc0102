-- A way into the guests' portal that was given out and not used yet: a code that was sent, or a link. Neither code nor
-- link is here, only keyed hashes; without a guest it is one that leads nowhere.
CREATE TABLE portal_ticket (
    token BYTEA NOT NULL,
    kind TEXT NOT NULL,
    guest_id UUID NULL,
    browser BYTEA NULL,
    contact BYTEA NULL,
    network BYTEA NULL,
    code BYTEA NULL,
    tries BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (token)
);
