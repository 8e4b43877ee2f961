-- Authorizations that wait for a signature, those that are due longest first. By payment_relayed they lay among all that were on their way,
-- which on a chain that is slow to be final are thousands, and every look for some to sign read those as well. What is left of its use,
-- authorizations whose time is over, is looked for every few seconds among all that is unsettled, and not worth an index of its own.
SET LOCAL ROLE bursar_owner;

CREATE INDEX payment_to_sign ON payment (due_at, spend_id) WHERE mode = 'relayed' AND state IN ('authorized', 'prepared');
DROP INDEX payment_relayed;
