CREATE INDEX consent_by_id ON consent (consent_id);
