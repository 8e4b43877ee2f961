-- A lane inserts its decisions in batches, and for every batch PostgreSQL reads the text of each CHECK of each table anew: with
-- a batch of one that was a quarter of the statement. So what only later moves can get wrong is watched where they happen, and
-- what every insert must keep is said in few words.
SET LOCAL ROLE bursar_owner;

-- An entry is written only in the transaction that holds its tenant's lane, whose row refers to the tenant, and no tenant is
-- ever deleted: the reference would be looked up and locked once a row to say the same.
ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_tenant_id_fkey;

ALTER TABLE spend
  DROP CONSTRAINT spend_amount_check, DROP CONSTRAINT spend_fingerprint_check, DROP CONSTRAINT spend_payee_check,
  ADD CONSTRAINT spend_is_sound CHECK (
    amount > 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935
    AND length(fingerprint) = 32 AND length(payee) = 20);

ALTER TABLE payment
  DROP CONSTRAINT payment_state_check, DROP CONSTRAINT payment_nonce_check, DROP CONSTRAINT payment_gas_limit_check,
  DROP CONSTRAINT payment_attempts_check, DROP CONSTRAINT payment_check, DROP CONSTRAINT payment_check1,
  DROP CONSTRAINT payment_check2, DROP CONSTRAINT payment_check3, DROP CONSTRAINT payment_check4;

CREATE FUNCTION refuse_unsound_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state NOT IN ('awaiting_approval', 'authorized', 'prepared', 'signed', 'broadcast', 'confirmed', 'reverted', 'rejected',
      'expired', 'canceled', 'failed', 'denied')
    OR NEW.nonce < 0 OR NEW.gas_limit <= 0 OR NEW.attempts < 0
    OR (NEW.state <> 'failed'
        AND (NEW.state IN ('prepared', 'signed', 'broadcast', 'confirmed', 'reverted')) <> (NEW.nonce IS NOT NULL))
    OR (NEW.state IN ('signed', 'broadcast', 'confirmed', 'reverted') AND NEW.transaction_hash IS NULL)
    OR (NEW.state IN ('confirmed', 'reverted')) <> (NEW.block_hash IS NOT NULL)
    OR (NEW.state = 'awaiting_approval' AND NEW.expires_at IS NULL)
    OR (NEW.state = 'failed' AND NEW.failure IS NULL)
  THEN
    RAISE EXCEPTION 'payment of spend %: the state `%` does not go with what is known of it', NEW.spend_id, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER sound_when_moved BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION refuse_unsound_payment();
CREATE TRIGGER sound_when_made BEFORE INSERT ON payment FOR EACH ROW
  WHEN (NEW.state <> 'authorized' OR NEW.nonce IS NOT NULL OR NEW.block_hash IS NOT NULL)
  EXECUTE FUNCTION refuse_unsound_payment();
ALTER TABLE payment ENABLE ALWAYS TRIGGER sound_when_moved;
ALTER TABLE payment ENABLE ALWAYS TRIGGER sound_when_made;
