-- Payments by authorization (EIP-3009): the wallet signs, and a relayer of the operator takes many signatures to the chain in one
-- transaction and pays its gas. Such a payment has no nonce of its wallet and no transaction of its own.
SET LOCAL ROLE bursar_owner;

-- What a token's signatures are told by (EIP-712), as its contract says; absent where it takes no authorizations.
ALTER TABLE asset
  ADD COLUMN eip712_name text, ADD COLUMN eip712_version text,
  ADD COLUMN settlement text NOT NULL DEFAULT 'direct' CHECK (settlement IN ('direct', 'relayed')),
  ADD CHECK ((eip712_name IS NULL) = (eip712_version IS NULL)),
  ADD CHECK (settlement = 'direct' OR eip712_name IS NOT NULL);
-- A wallet's own choice goes before its assets'.
ALTER TABLE wallet ADD COLUMN settlement text CHECK (settlement IN ('direct', 'relayed'));
-- Fixed when the spend is decided.
ALTER TABLE payment ADD COLUMN mode text NOT NULL DEFAULT 'direct' CHECK (mode IN ('direct', 'relayed'));

-- An account of the operator that pays gas. Its key is in the signer, and can sign nothing but batches.
CREATE TABLE relayer (
  chain       text NOT NULL,
  key_id      uuid NOT NULL,
  address     bytea NOT NULL CHECK (length(address) = 20),
  next_nonce  bigint NOT NULL DEFAULT 0 CHECK (next_nonce >= 0),
  lease       uuid,
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  created_at  timestamptz NOT NULL,
  PRIMARY KEY (chain, key_id),
  UNIQUE (chain, address)
);

-- One transaction of a relayer and all that is known of it. The authorizations in it are fixed with its nonce.
CREATE TABLE relay_batch (
  batch_id         uuid PRIMARY KEY,
  chain            text NOT NULL,
  key_id           uuid NOT NULL,
  nonce            bigint NOT NULL CHECK (nonce >= 0),
  state            text NOT NULL CHECK (state IN ('prepared', 'signed', 'broadcast', 'settled')),
  gas_limit        bigint NOT NULL CHECK (gas_limit > 0),
  attempts         int NOT NULL CHECK (attempts > 0),
  transaction_hash bytea,
  block_number     bigint,
  block_hash       bytea,
  gas_used         bigint,
  failure          text,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL,
  UNIQUE (chain, key_id, nonce),
  FOREIGN KEY (chain, key_id) REFERENCES relayer,
  CHECK (state = 'prepared' OR transaction_hash IS NOT NULL),
  CHECK ((state = 'settled') = (block_hash IS NOT NULL))
);
CREATE INDEX relay_batch_open ON relay_batch (chain, key_id, nonce) WHERE state <> 'settled';

-- Every transaction that was ever signed for a batch: stored before it is sent, never forgotten.
CREATE TABLE relay_attempt (
  batch_id         uuid NOT NULL REFERENCES relay_batch,
  attempt          int NOT NULL CHECK (attempt > 0),
  max_fee          numeric(39,0) NOT NULL CHECK (max_fee >= 0),
  priority_fee     numeric(39,0) NOT NULL CHECK (priority_fee >= 0 AND priority_fee <= max_fee),
  raw_transaction  bytea,
  transaction_hash bytea UNIQUE,
  first_sent_at    timestamptz,
  last_sent_at     timestamptz,
  PRIMARY KEY (batch_id, attempt),
  CHECK ((raw_transaction IS NULL) = (transaction_hash IS NULL))
);

-- The one authorization that a spend is paid by: fixed before it is signed, and never another one.
CREATE TABLE payment_authorization (
  tenant_id    uuid NOT NULL,
  spend_id     uuid NOT NULL,
  nonce        bytea NOT NULL CHECK (length(nonce) = 32),
  valid_before bigint NOT NULL CHECK (valid_before > 0),
  from_block   bigint NOT NULL CHECK (from_block >= 0), -- no block before this one can hold it
  signature    bytea CHECK (length(signature) = 65),
  batch_id     uuid REFERENCES relay_batch,             -- that it is in now; none while it waits for one
  PRIMARY KEY (tenant_id, spend_id)
);
CREATE INDEX payment_authorization_in_batch ON payment_authorization (batch_id) WHERE batch_id IS NOT NULL;

-- What each batch held, in its order: the batch's bytes say the same.
CREATE TABLE relay_item (
  batch_id  uuid NOT NULL REFERENCES relay_batch,
  position  smallint NOT NULL CHECK (position BETWEEN 0 AND 99),
  tenant_id uuid NOT NULL,
  spend_id  uuid NOT NULL,
  PRIMARY KEY (batch_id, position)
);

CREATE INDEX payment_relayed ON payment (due_at) WHERE mode = 'relayed' AND state IN ('authorized', 'prepared', 'signed', 'broadcast');

CREATE OR REPLACE FUNCTION refuse_unsound_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state NOT IN ('awaiting_approval', 'authorized', 'prepared', 'signed', 'broadcast', 'confirmed', 'reverted', 'rejected',
      'expired', 'canceled', 'failed', 'denied')
    OR NEW.nonce < 0 OR NEW.gas_limit <= 0 OR NEW.attempts < 0
    OR (NEW.mode = 'direct' AND NEW.state <> 'failed'
        AND (NEW.state IN ('prepared', 'signed', 'broadcast', 'confirmed', 'reverted')) <> (NEW.nonce IS NOT NULL))
    OR (NEW.mode = 'relayed' AND NEW.nonce IS NOT NULL)
    OR (NEW.mode = 'direct' AND NEW.state = 'signed' AND NEW.transaction_hash IS NULL)
    OR (NEW.state IN ('broadcast', 'confirmed', 'reverted') AND NEW.transaction_hash IS NULL)
    OR (NEW.state IN ('confirmed', 'reverted')) <> (NEW.block_hash IS NOT NULL)
    OR (NEW.state = 'awaiting_approval' AND NEW.expires_at IS NULL)
    OR (NEW.state = 'failed' AND NEW.failure IS NULL)
  THEN
    RAISE EXCEPTION 'payment of spend %: the state `%` does not go with what is known of it', NEW.spend_id, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

GRANT SELECT, INSERT ON relayer, relay_batch, relay_attempt, payment_authorization, relay_item TO bursar_app;
GRANT UPDATE (next_nonce, lease, lease_until) ON relayer TO bursar_app;
GRANT UPDATE (state, gas_limit, attempts, transaction_hash, block_number, block_hash, gas_used, failure, updated_at)
  ON relay_batch TO bursar_app;
GRANT UPDATE (raw_transaction, transaction_hash, first_sent_at, last_sent_at) ON relay_attempt TO bursar_app;
GRANT UPDATE (signature, batch_id) ON payment_authorization TO bursar_app;
GRANT UPDATE (settlement) ON wallet TO bursar_app;
GRANT UPDATE (settlement, eip712_name, eip712_version) ON asset TO bursar_app;
CREATE INDEX relay_item_of ON relay_item (tenant_id, spend_id);
