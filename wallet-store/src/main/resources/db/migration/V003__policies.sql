-- Policies, what they are attached to, and the counters of their limits.
SET LOCAL ROLE bursar_owner;

CREATE TABLE policy (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  policy_id  uuid NOT NULL,
  name       text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, policy_id)
);

-- A version is named by the hash of its document and never changes; only its publication is noted.
CREATE TABLE policy_version (
  tenant_id    uuid NOT NULL,
  policy_id    uuid NOT NULL,
  version      text NOT NULL,
  number       int NOT NULL CHECK (number > 0),
  document     bytea NOT NULL,
  created_at   timestamptz NOT NULL,
  published_at timestamptz,
  PRIMARY KEY (tenant_id, policy_id, version),
  UNIQUE (tenant_id, policy_id, number),
  FOREIGN KEY (tenant_id, policy_id) REFERENCES policy
);

CREATE TABLE policy_attachment (
  tenant_id   uuid NOT NULL,
  target      text NOT NULL CHECK (target IN ('tenant', 'agent', 'wallet')),
  target_id   uuid NOT NULL,
  policy_id   uuid NOT NULL,
  version     text NOT NULL,
  attached_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, target, target_id),
  FOREIGN KEY (tenant_id, policy_id, version) REFERENCES policy_version
);

-- What the limits in force count. `definition` identifies what is counted (see Counter), `slot_seconds` which slot sizes are
-- kept; 0 is the slot of a calendar period or of all time.
CREATE TABLE counter (
  tenant_id    uuid NOT NULL REFERENCES tenant,
  counter_no   int NOT NULL,
  definition   text NOT NULL COLLATE "C",
  slot_seconds smallint[] NOT NULL,
  PRIMARY KEY (tenant_id, counter_no),
  UNIQUE (tenant_id, definition)
);

-- Whose spends a counter counts: those of the tenant, agents and wallets that a policy with such a limit is attached to.
CREATE TABLE counter_target (
  tenant_id  uuid NOT NULL,
  counter_no int NOT NULL,
  target     text NOT NULL CHECK (target IN ('tenant', 'agent', 'wallet')),
  target_id  uuid NOT NULL,
  PRIMARY KEY (tenant_id, counter_no, target, target_id),
  FOREIGN KEY (tenant_id, counter_no) REFERENCES counter
);
CREATE INDEX counter_target_by_target ON counter_target (tenant_id, target, target_id);

CREATE TABLE limit_bucket (
  tenant_id    uuid NOT NULL,
  counter_no   int NOT NULL,
  key          bigint NOT NULL,
  slot_seconds smallint NOT NULL,
  slot         bigint NOT NULL,
  amount       numeric NOT NULL CHECK (amount >= 0 AND scale(amount) = 0),
  count        bigint NOT NULL CHECK (count >= 0),
  PRIMARY KEY (tenant_id, counter_no, key, slot_seconds, slot)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT ON policy, policy_version TO bursar_app;
GRANT UPDATE (published_at) ON policy_version TO bursar_app;
GRANT SELECT, INSERT, DELETE ON policy_attachment, counter, counter_target, limit_bucket TO bursar_app;
GRANT UPDATE (policy_id, version, attached_at) ON policy_attachment TO bursar_app;
GRANT UPDATE (slot_seconds) ON counter TO bursar_app;
GRANT UPDATE (amount, count) ON limit_bucket TO bursar_app;
