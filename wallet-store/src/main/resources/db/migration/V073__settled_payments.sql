-- Reconciling with the chain begins with the blocks that settled payments of late.
SET LOCAL ROLE bursar_owner;

CREATE INDEX payment_settled ON payment (updated_at) WHERE state IN ('confirmed', 'reverted');
