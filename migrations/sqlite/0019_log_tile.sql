-- Hashes of the log's tree, 32 bytes each, 256 in a full tile.
CREATE TABLE log_tile (
    level INTEGER NOT NULL,
    tile INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, tile)
) STRICT, WITHOUT ROWID;
