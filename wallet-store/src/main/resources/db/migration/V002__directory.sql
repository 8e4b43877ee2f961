-- Who is who: tenants and their agents, keys, wallets, assets and approvers.
SET LOCAL ROLE bursar_owner;

CREATE TABLE tenant (
  tenant_id  uuid PRIMARY KEY,
  name       text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- The unit of ordering: every decision of a tenant holds this row. `epoch` changes with every change of what a lane keeps in
-- memory about money, `directory_epoch` with every change of policies, wallets or agents; a lane whose memory is of another
-- epoch writes nothing. The row is updated by every batch: the free space keeps those updates on its page.
CREATE TABLE lane (
  tenant_id       uuid PRIMARY KEY REFERENCES tenant,
  epoch           bigint NOT NULL DEFAULT 0,
  directory_epoch bigint NOT NULL DEFAULT 0,
  audit_seq       bigint NOT NULL DEFAULT 0,
  last_at         timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);

CREATE TABLE agent (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  agent_id   uuid NOT NULL,
  name       text NOT NULL,
  status     text NOT NULL CHECK (status IN ('active', 'suspended')),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, agent_id)
);

CREATE TABLE wallet (
  tenant_id  uuid NOT NULL,
  wallet_id  uuid NOT NULL,
  agent_id   uuid NOT NULL,
  chain      text NOT NULL,
  address    bytea NOT NULL CHECK (length(address) = 20),
  name       text NOT NULL,
  status     text NOT NULL CHECK (status IN ('active', 'frozen')),
  next_nonce bigint NOT NULL DEFAULT 0 CHECK (next_nonce >= 0),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, wallet_id),
  UNIQUE (tenant_id, chain, address),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES agent
);
CREATE INDEX wallet_by_agent ON wallet (tenant_id, agent_id, wallet_id);

CREATE TABLE asset (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  asset_id   uuid NOT NULL,
  chain      text NOT NULL,
  contract   bytea NOT NULL CHECK (length(contract) = 20),
  symbol     text NOT NULL,
  decimals   smallint NOT NULL CHECK (decimals BETWEEN 0 AND 18),
  currency   text,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, asset_id),
  UNIQUE (tenant_id, chain, symbol),
  UNIQUE (tenant_id, chain, contract)
);

CREATE TABLE approver (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  approver_id uuid NOT NULL,
  name       text NOT NULL,
  public_key text,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, approver_id)
);

CREATE TABLE approver_group (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  group_id   uuid NOT NULL,
  name       text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, group_id),
  UNIQUE (tenant_id, name)
);

CREATE TABLE approver_group_member (
  tenant_id   uuid NOT NULL,
  group_id    uuid NOT NULL,
  approver_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, group_id, approver_id),
  FOREIGN KEY (tenant_id, group_id) REFERENCES approver_group,
  FOREIGN KEY (tenant_id, approver_id) REFERENCES approver
);

-- Only the SHA-256 of a key is kept. The key is 256 random bits, so a slow hash would protect nothing more.
CREATE TABLE api_key (
  tenant_id   uuid NOT NULL REFERENCES tenant,
  key_id      uuid NOT NULL,
  role        text NOT NULL CHECK (role IN ('admin', 'agent', 'approver', 'auditor')),
  name        text NOT NULL,
  agent_id    uuid,
  approver_id uuid,
  hash        bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
  created_at  timestamptz NOT NULL,
  revoked_at  timestamptz,
  PRIMARY KEY (tenant_id, key_id),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES agent,
  FOREIGN KEY (tenant_id, approver_id) REFERENCES approver,
  CHECK ((role = 'agent') = (agent_id IS NOT NULL)),
  CHECK ((role = 'approver') = (approver_id IS NOT NULL))
);

GRANT SELECT, INSERT ON tenant, lane, agent, wallet, asset, approver, approver_group, approver_group_member, api_key TO bursar_app;
GRANT UPDATE (epoch, directory_epoch, audit_seq, last_at) ON lane TO bursar_app;
GRANT UPDATE (status) ON agent TO bursar_app;
GRANT UPDATE (status, next_nonce) ON wallet TO bursar_app;
GRANT UPDATE (revoked_at) ON api_key TO bursar_app;
