-- Wallets whose money moves to a new key: which wallet follows which, and since when the old one is put away.
SET LOCAL ROLE bursar_owner;

CREATE TABLE wallet_rotation (
  tenant_id    uuid NOT NULL,
  wallet_id    uuid NOT NULL,
  successor_id uuid NOT NULL,
  rotated_at   timestamptz NOT NULL,
  archived_at  timestamptz,
  PRIMARY KEY (tenant_id, wallet_id),
  UNIQUE (tenant_id, successor_id),
  CHECK (wallet_id <> successor_id),
  FOREIGN KEY (tenant_id, wallet_id) REFERENCES wallet,
  FOREIGN KEY (tenant_id, successor_id) REFERENCES wallet (tenant_id, wallet_id)
);
GRANT SELECT, INSERT ON wallet_rotation TO bursar_app;
GRANT UPDATE (archived_at) ON wallet_rotation TO bursar_app;
