-- What happened to a request, in order: words and dates, no free text.
CREATE TABLE request_step (
    request_id UUID NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    step TEXT NOT NULL,
    ground TEXT NULL,
    principal UUID NOT NULL,
    actor TEXT NULL,
    PRIMARY KEY (request_id, number)
);
