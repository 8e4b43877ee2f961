-- Cancellation of a payment by authorization: the wallet signs that the authorization may not be used any more, and a relayer takes that
-- to the token. Whichever the token sees first counts, so until then everything stays reserved.
SET LOCAL ROLE bursar_owner;

ALTER TABLE payment_authorization
  ADD COLUMN cancel_signature bytea CHECK (length(cancel_signature) = 65),
  ADD COLUMN cancel_batch_id  uuid REFERENCES relay_batch,   -- that the cancellation is in now; none while it waits for one
  ADD CHECK (cancel_batch_id IS NULL OR cancel_signature IS NOT NULL);
CREATE INDEX payment_authorization_cancel_in_batch ON payment_authorization (cancel_batch_id) WHERE cancel_batch_id IS NOT NULL;
-- Whether the batch's call cancels the authorization; otherwise it uses it.
ALTER TABLE relay_item ADD COLUMN cancels boolean NOT NULL DEFAULT false;
CREATE INDEX payment_canceling ON payment (due_at)
  WHERE mode = 'relayed' AND cancel_seq IS NOT NULL AND state IN ('signed', 'broadcast');

-- One that was canceled on the chain knows its block; where it goes by authorization it has no nonce of its wallet.
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
    OR (NEW.state = 'canceled' AND NEW.mode = 'direct' AND (NEW.nonce IS NOT NULL) <> (NEW.block_hash IS NOT NULL))
    OR (NEW.state = 'canceled' AND NEW.block_hash IS NOT NULL
        AND (NEW.transaction_hash IS NULL OR NEW.mode = 'direct' AND NEW.cancel_seq IS NULL))
    OR (NEW.cancel_seq IS NULL) <> (NEW.cancel_requested_at IS NULL)
    OR (NEW.state = 'awaiting_approval' AND NEW.expires_at IS NULL)
    OR (NEW.state = 'failed' AND NEW.failure IS NULL)
  THEN
    RAISE EXCEPTION 'payment of spend %: the state `%` does not go with what is known of it', NEW.spend_id, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

GRANT UPDATE (cancel_signature, cancel_batch_id) ON payment_authorization TO bursar_app;
