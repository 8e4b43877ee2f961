-- Authorizations that wait for a relayer's transaction, those that are due longest first. By payment_relayed they lay among all that were
-- still to be signed or already on their way, and every look for a hundred of them read and sorted those as well.
SET LOCAL ROLE bursar_owner;

CREATE INDEX payment_to_relay ON payment (due_at, spend_id) WHERE mode = 'relayed' AND state = 'signed';
