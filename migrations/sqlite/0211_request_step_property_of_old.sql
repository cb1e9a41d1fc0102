-- Who works for one house alone took its steps there; a case that was joined was received again where another was closed.
UPDATE request_step SET property = (
    SELECT p.scope FROM principal p
    WHERE p.principal_id = request_step.principal AND p.scope NOT LIKE '% %'
)
WHERE step <> 'received' OR number = 1;
