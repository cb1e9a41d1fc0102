-- It led to every line of a time, to count them one by one.
DROP INDEX consent_by_time;
