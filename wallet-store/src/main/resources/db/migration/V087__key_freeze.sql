-- Wallets whose key the signer shall freeze: asked for in the transaction that freezes the wallet, and asked of the signer until it has
-- said that the key is frozen. The row goes when the wallet is unfrozen.
SET LOCAL ROLE bursar_owner;

CREATE TABLE key_freeze (
  tenant_id uuid NOT NULL,
  wallet_id uuid NOT NULL,
  asked_at  timestamptz NOT NULL,
  asked_by  text NOT NULL,
  held_at   timestamptz,
  PRIMARY KEY (tenant_id, wallet_id),
  FOREIGN KEY (tenant_id, wallet_id) REFERENCES wallet (tenant_id, wallet_id)
);
CREATE INDEX key_freeze_waiting ON key_freeze (asked_at) WHERE held_at IS NULL;
GRANT SELECT, INSERT, DELETE ON key_freeze TO bursar_app;
GRANT UPDATE (asked_at, asked_by, held_at) ON key_freeze TO bursar_app;
