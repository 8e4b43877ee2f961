-- Cancellation of a payment that may be signed already: asked for on the record, and done by a transaction that takes the nonce
-- and moves nothing. Whichever of the payment's transactions is mined counts, so until then everything stays reserved.
SET LOCAL ROLE bursar_owner;

ALTER TABLE payment
  ADD COLUMN cancel_seq bigint,                    -- the entry that asked for it, and that the signer is shown
  ADD COLUMN cancel_requested_at timestamptz;
-- Whether the transaction is one that moves nothing.
ALTER TABLE payment_attempt ADD COLUMN cancels boolean NOT NULL DEFAULT false;

-- A payment that was canceled on the chain keeps its nonce, for good, and knows its block.
CREATE OR REPLACE FUNCTION refuse_unsound_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state NOT IN ('awaiting_approval', 'authorized', 'prepared', 'signed', 'broadcast', 'confirmed', 'reverted', 'rejected',
      'expired', 'canceled', 'failed', 'denied')
    OR NEW.nonce < 0 OR NEW.gas_limit <= 0 OR NEW.attempts < 0
    OR (NEW.mode = 'direct' AND NEW.state NOT IN ('failed', 'canceled')
        AND (NEW.state IN ('prepared', 'signed', 'broadcast', 'confirmed', 'reverted')) <> (NEW.nonce IS NOT NULL))
    OR (NEW.mode = 'relayed' AND NEW.nonce IS NOT NULL)
    OR (NEW.mode = 'direct' AND NEW.state = 'signed' AND NEW.transaction_hash IS NULL)
    OR (NEW.state IN ('broadcast', 'confirmed', 'reverted') AND NEW.transaction_hash IS NULL)
    OR (NEW.state <> 'canceled' AND (NEW.state IN ('confirmed', 'reverted')) <> (NEW.block_hash IS NOT NULL))
    OR (NEW.state = 'canceled' AND ((NEW.nonce IS NOT NULL) <> (NEW.block_hash IS NOT NULL)
        OR NEW.nonce IS NOT NULL AND (NEW.cancel_seq IS NULL OR NEW.transaction_hash IS NULL)))
    OR (NEW.cancel_seq IS NULL) <> (NEW.cancel_requested_at IS NULL)
    OR (NEW.state = 'awaiting_approval' AND NEW.expires_at IS NULL)
    OR (NEW.state = 'failed' AND NEW.failure IS NULL)
  THEN
    RAISE EXCEPTION 'payment of spend %: the state `%` does not go with what is known of it', NEW.spend_id, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE INDEX payment_annulled ON payment (updated_at) WHERE state = 'canceled' AND block_hash IS NOT NULL;
GRANT UPDATE (cancel_seq, cancel_requested_at) ON payment TO bursar_app;
