-- What was joined with a case that was taken back, refused or another guest's, and left there, is a case of its own again;
-- not what was joined with a case that is done, which was done for both.
UPDATE request SET state = 'received', duplicate_of = NULL, version = version + 1
WHERE state = 'duplicate' AND EXISTS (
    SELECT 1 FROM request other
    WHERE other.request_id = request.duplicate_of
        AND other.state <> 'done'
        AND (other.state IN ('denied', 'revoked') OR other.guest_id IS NULL OR other.guest_id <> request.guest_id)
);
