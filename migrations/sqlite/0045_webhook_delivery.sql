-- Events on their way to a receiver; a row goes when the receiver has taken it. `dead`: given up.
CREATE TABLE webhook_delivery (
    webhook TEXT NOT NULL,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (webhook, position)
) STRICT, WITHOUT ROWID;
