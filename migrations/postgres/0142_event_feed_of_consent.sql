CREATE INDEX event_feed_of_consent ON event_feed (guest_id, position) WHERE kind = 'consent.changed';
