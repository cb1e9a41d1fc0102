-- Events on their way to a receiver; a row goes when the receiver has taken it. `dead`: given up.
CREATE TABLE webhook_delivery (
    webhook TEXT NOT NULL,
    position BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    dead BOOLEAN NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (webhook, position)
);
