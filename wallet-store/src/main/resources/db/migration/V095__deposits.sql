-- What has arrived at our wallets, as the tokens' events say in blocks that are final, and how far each chain has been read.
SET LOCAL ROLE bursar_owner;

CREATE TABLE deposit (
  tenant_id        uuid NOT NULL,
  deposit_id       uuid NOT NULL,
  wallet_id        uuid NOT NULL,
  asset_id         uuid NOT NULL,
  amount           numeric(78,0) NOT NULL CHECK (amount > 0),
  payer            bytea NOT NULL CHECK (length(payer) = 20),
  block_number     bigint NOT NULL CHECK (block_number >= 0),
  block_hash       bytea NOT NULL CHECK (length(block_hash) = 32),
  transaction_hash bytea NOT NULL CHECK (length(transaction_hash) = 32),
  log_index        bigint NOT NULL CHECK (log_index >= 0),
  received_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, deposit_id),
  UNIQUE (tenant_id, wallet_id, block_number, log_index), -- a wallet is on one chain, and a block numbers its events
  FOREIGN KEY (tenant_id, wallet_id) REFERENCES wallet,
  FOREIGN KEY (tenant_id, asset_id) REFERENCES asset
);
CREATE INDEX deposit_by_wallet ON deposit (tenant_id, wallet_id, deposit_id);

CREATE TABLE deposit_cursor (
  chain      text PRIMARY KEY,
  next_block bigint NOT NULL CHECK (next_block >= 0) -- all before it is booked
);
CREATE INDEX wallet_by_chain ON wallet (chain, address);

GRANT SELECT, INSERT ON deposit, deposit_cursor TO bursar_app;
GRANT UPDATE (next_block) ON deposit_cursor TO bursar_app;
