-- Where receivers that are there already began is not known: from here on it is.
UPDATE webhook SET begins = position;
