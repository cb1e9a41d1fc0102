-- How far an import of a file has come, so that it can go on after a kill.
CREATE TABLE import_progress (
    file_mac BLOB NOT NULL,
    done_lines INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (file_mac)
) STRICT, WITHOUT ROWID;
