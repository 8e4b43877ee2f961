-- Spends (the request and its first decision, never changed), what became of them, and how they were paid.
SET LOCAL ROLE bursar_owner;

CREATE TABLE spend (
  tenant_id       uuid NOT NULL,
  spend_id        uuid NOT NULL,
  agent_id        uuid NOT NULL,
  wallet_id       uuid NOT NULL,
  idempotency_key text NOT NULL COLLATE "C",
  fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32),
  asset_id        uuid NOT NULL,
  amount          numeric(78,0) NOT NULL CHECK (amount > 0 AND amount < 2::numeric ^ 256),
  payee           bytea NOT NULL CHECK (length(payee) = 20),
  method          text NOT NULL,
  category        text,
  host            text,
  effect          text NOT NULL CHECK (effect IN ('allow', 'require_approval', 'deny')),
  reason_codes    text[] NOT NULL,
  audit_seq       bigint NOT NULL,
  decided_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, spend_id),
  UNIQUE (tenant_id, agent_id, idempotency_key)
);
CREATE INDEX spend_by_wallet ON spend (tenant_id, wallet_id, spend_id);

-- Free text beside the record, which holds only a salted commitment to it: erasing a text leaves the record whole.
CREATE TABLE spend_text (
  tenant_id uuid NOT NULL,
  spend_id  uuid NOT NULL,
  salt      bytea NOT NULL CHECK (length(salt) = 16),
  purpose   text,
  reference text,
  metadata  text,
  PRIMARY KEY (tenant_id, spend_id)
);

-- A decision made again, when approvers had spoken. The first decision of a spend is in the spend itself.
CREATE TABLE redecision (
  tenant_id        uuid NOT NULL,
  authorization_id uuid NOT NULL,
  spend_id         uuid NOT NULL,
  effect           text NOT NULL CHECK (effect IN ('allow', 'require_approval', 'deny')),
  reason_codes     text[] NOT NULL,
  audit_seq        bigint NOT NULL,
  decided_at       timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, authorization_id)
);
CREATE INDEX redecision_by_spend ON redecision (tenant_id, spend_id);

-- What became of a spend that was not denied at once. It is also the reservation: from `charged_at` it takes from every
-- counter that counts it, until its state gives back (see PaymentState).
CREATE TABLE payment (
  tenant_id        uuid NOT NULL,
  spend_id         uuid NOT NULL,
  wallet_id        uuid NOT NULL,
  state            text NOT NULL CHECK (state IN ('awaiting_approval', 'authorized', 'prepared', 'signed', 'broadcast', 'confirmed',
                     'reverted', 'rejected', 'expired', 'canceled', 'failed', 'denied')),
  audit_seq        bigint NOT NULL,                -- the authorization that it may be paid under
  charged_at       timestamptz NOT NULL,
  expires_at       timestamptz,                    -- of the wait for approvers, or of the request itself
  request_expires_at timestamptz,
  nonce            bigint CHECK (nonce >= 0),
  gas_limit        bigint CHECK (gas_limit > 0),
  block_number     bigint,
  block_hash       bytea,
  transaction_hash bytea,                          -- the one that was mined, or the last that was signed
  failure          text,
  attempts         int NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- how many payment_attempt rows it has
  round            int NOT NULL DEFAULT 1,         -- of approvals: a change of the policies in force begins a new one
  due_at           timestamptz NOT NULL,
  lease_until      timestamptz NOT NULL DEFAULT '-infinity',
  lease            uuid,                           -- whose it is, or was last
  updated_at       timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, spend_id),
  CHECK (state IN ('prepared', 'signed', 'broadcast', 'confirmed', 'reverted') = (nonce IS NOT NULL) OR state = 'failed'),
  CHECK (state NOT IN ('signed', 'broadcast', 'confirmed', 'reverted') OR transaction_hash IS NOT NULL),
  CHECK ((state IN ('confirmed', 'reverted')) = (block_hash IS NOT NULL)),
  CHECK (state <> 'awaiting_approval' OR expires_at IS NOT NULL),
  CHECK (state <> 'failed' OR failure IS NOT NULL)
) WITH (fillfactor = 70);
-- Of those that have a nonce: a new payment has none, and does not pay for an index that says nothing of it.
CREATE UNIQUE INDEX payment_nonce ON payment (tenant_id, wallet_id, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX payment_due ON payment (due_at) WHERE state IN ('authorized', 'prepared', 'signed', 'broadcast');
CREATE INDEX payment_waiting ON payment (tenant_id, expires_at) WHERE state = 'awaiting_approval';
CREATE INDEX payment_in_flight ON payment (tenant_id, wallet_id, nonce) WHERE state IN ('prepared', 'signed', 'broadcast');

-- Every transaction that was ever signed for a payment: stored before it is sent, never forgotten.
CREATE TABLE payment_attempt (
  tenant_id       uuid NOT NULL,
  spend_id        uuid NOT NULL,
  attempt         int NOT NULL CHECK (attempt > 0),
  max_fee         numeric(39,0) NOT NULL CHECK (max_fee >= 0),
  priority_fee    numeric(39,0) NOT NULL CHECK (priority_fee >= 0 AND priority_fee <= max_fee),
  raw_transaction bytea,                           -- null until signed
  transaction_hash bytea,
  prepared_at     timestamptz NOT NULL,
  first_sent_at   timestamptz,                     -- when a node first took it, or was found to have it
  last_sent_at    timestamptz,
  PRIMARY KEY (tenant_id, spend_id, attempt),
  UNIQUE (tenant_id, transaction_hash),
  CHECK ((raw_transaction IS NULL) = (transaction_hash IS NULL)),
  CHECK ((first_sent_at IS NULL) = (last_sent_at IS NULL)),
  CHECK (first_sent_at IS NULL OR raw_transaction IS NOT NULL)
);

-- Only what was given in the payment's round counts; what was given before is kept, but dismissed.
CREATE TABLE approval (
  tenant_id   uuid NOT NULL,
  spend_id    uuid NOT NULL,
  round       int NOT NULL,
  approver_id uuid NOT NULL,
  verdict     text NOT NULL CHECK (verdict IN ('approve', 'reject')),
  signature   text,
  comment     text,
  at          timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, spend_id, round, approver_id)
);

GRANT SELECT, INSERT ON spend, spend_text, redecision, payment, payment_attempt, approval TO bursar_app;
GRANT UPDATE (state, audit_seq, charged_at, expires_at, nonce, gas_limit, block_number, block_hash, transaction_hash, failure, attempts, round,
  due_at, lease_until, lease, updated_at) ON payment TO bursar_app;
GRANT UPDATE (raw_transaction, transaction_hash, first_sent_at, last_sent_at) ON payment_attempt TO bursar_app;
