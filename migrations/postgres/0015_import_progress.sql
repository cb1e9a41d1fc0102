-- How far an import of a file has come, so that it can go on after a kill.
CREATE TABLE import_progress (
    file_mac BYTEA NOT NULL,
    done_lines BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (file_mac)
);
