-- The hash first: an index that begins with the tenant could be planned to find one payment's attempts among all of the tenant's, which
-- costs the same only as long as there are next to none.
SET LOCAL ROLE bursar_owner;

ALTER TABLE payment_attempt DROP CONSTRAINT payment_attempt_tenant_id_transaction_hash_key;
ALTER TABLE payment_attempt ADD UNIQUE (transaction_hash, tenant_id);
