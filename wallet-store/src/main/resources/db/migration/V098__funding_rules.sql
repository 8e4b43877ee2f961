-- Rules by which a wallet's money is kept between two lines: what is too much goes to a treasury wallet, what is missing comes from it. What
-- a rule pays is an ordinary spend of the wallet that pays.
SET LOCAL ROLE bursar_owner;

CREATE TABLE funding_rule (
  tenant_id   uuid NOT NULL,
  rule_id     uuid NOT NULL,                                   -- a changed rule is another one
  wallet_id   uuid NOT NULL,
  asset_id    uuid NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('sweep', 'top_up')),
  threshold   numeric(78,0) NOT NULL CHECK (threshold >= 0),   -- base units: above it is swept, below it is topped up
  target      numeric(78,0) NOT NULL CHECK (target >= 0),      -- what is to be left
  treasury_id uuid NOT NULL,
  created_at  timestamptz NOT NULL,
  serial      bigint NOT NULL DEFAULT 0,                       -- how many spends it has asked for: part of the next one's key
  spend_id    uuid,                                            -- the last of them
  open        boolean NOT NULL DEFAULT false,                  -- whether what became of that is not dealt with yet
  setbacks    int NOT NULL DEFAULT 0,                          -- how many of them in a row came to nothing
  note        text,                                            -- why nothing moves although it should
  noted_at    timestamptz,                                     -- since when
  due_at      timestamptz NOT NULL DEFAULT '-infinity',
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (tenant_id, rule_id),
  UNIQUE (tenant_id, wallet_id, asset_id, kind),
  CHECK (wallet_id <> treasury_id),
  CHECK (kind = 'sweep' AND target <= threshold OR kind = 'top_up' AND target >= threshold AND target > 0),
  CHECK ((serial = 0) = (spend_id IS NULL)),
  CHECK ((note IS NULL) = (noted_at IS NULL)),
  FOREIGN KEY (tenant_id, wallet_id) REFERENCES wallet,
  FOREIGN KEY (tenant_id, treasury_id) REFERENCES wallet (tenant_id, wallet_id),
  FOREIGN KEY (tenant_id, asset_id) REFERENCES asset
);
CREATE INDEX funding_rule_due ON funding_rule (due_at);

GRANT SELECT, INSERT, DELETE ON funding_rule TO bursar_app;
GRANT UPDATE (serial, spend_id, open, setbacks, note, noted_at, due_at, lease_until) ON funding_rule TO bursar_app;
