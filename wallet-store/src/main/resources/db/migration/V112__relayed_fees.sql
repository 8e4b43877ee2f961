-- A relayer's transaction was to be replaced at whatever gas cost, though the signer signs no more than ten times what was first offered: where
-- gas cost more than that for a while, the transaction was never signed again, and all above its nonce waited for it.
SET LOCAL ROLE bursar_owner;

UPDATE relay_attempt a SET max_fee = 10 * first.max_fee, priority_fee = least(a.priority_fee, 10 * first.max_fee)
FROM relay_attempt first
WHERE first.batch_id = a.batch_id AND first.attempt = 1 AND a.raw_transaction IS NULL AND a.max_fee > 10 * first.max_fee;
