-- Hashes of the log's tree, 32 bytes each, 256 in a full tile.
CREATE TABLE log_tile (
    level BIGINT NOT NULL,
    tile BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, tile)
);
