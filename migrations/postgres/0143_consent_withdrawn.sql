CREATE INDEX consent_withdrawn ON consent (at, consent_id) WHERE state IN ('withdrawn', 'objected');
