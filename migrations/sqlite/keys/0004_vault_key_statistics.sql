-- SQLite samples no column that has no index: there is nothing to do.
SELECT 1;
