-- How far the data's log had grown when the key store last heard of it: keys of whom older data does not know are not
-- taken for nobody's.
CREATE TABLE data_mark (
    mark TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    PRIMARY KEY (mark)
);
