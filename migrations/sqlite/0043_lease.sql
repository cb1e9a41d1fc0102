-- Who does a job that only one instance may do, and until when.
CREATE TABLE lease (
    job TEXT NOT NULL PRIMARY KEY,
    holder BLOB NOT NULL,
    held_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
