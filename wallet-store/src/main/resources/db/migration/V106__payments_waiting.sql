-- What a wallet has still to pay by transactions of its own, in the order of the decisions: looked up whenever the wallet is worked on,
-- however much waits. Payments by authorization are taken in the order of time alone, and do not pay for it.
SET LOCAL ROLE bursar_owner;

CREATE INDEX payment_waiting_by_wallet ON payment (tenant_id, wallet_id, spend_id) WHERE state = 'authorized' AND mode = 'direct';
