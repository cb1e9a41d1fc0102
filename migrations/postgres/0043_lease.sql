-- Who does a job that only one instance may do, and until when.
CREATE TABLE lease (
    job TEXT NOT NULL PRIMARY KEY,
    holder UUID NOT NULL,
    held_until BIGINT NOT NULL
);
