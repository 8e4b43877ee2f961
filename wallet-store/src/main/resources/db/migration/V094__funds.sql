-- Since when a wallet was found to lack the money for a payment, and what was found when that ended it.
SET LOCAL ROLE bursar_owner;

ALTER TABLE payment
  ADD COLUMN unfunded_since   timestamptz,
  ADD COLUMN failure_code     text,
  ADD COLUMN failure_observed numeric(78,0),
  ADD COLUMN failure_bound    numeric(78,0);
-- What has been paid after a block is asked for with every balance by that block.
CREATE INDEX payment_paid ON payment (tenant_id, wallet_id, block_number) WHERE state = 'confirmed';
GRANT UPDATE (unfunded_since, failure_code, failure_observed, failure_bound) ON payment TO bursar_app;
