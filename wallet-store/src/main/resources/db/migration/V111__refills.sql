-- Refills: a relayer's transaction that sends native coin to another relayer of its chain in place of carrying authorizations. It has
-- its place among the relayer's nonces, and so is fixed, signed, sent and settled as a batch is.
SET LOCAL ROLE bursar_owner;

ALTER TABLE relay_batch
  ADD COLUMN refill_key uuid,            -- of the relayer that receives; none where it carries authorizations
  ADD COLUMN refill_wei numeric(39,0),
  ADD FOREIGN KEY (chain, refill_key) REFERENCES relayer,
  ADD CONSTRAINT relay_batch_refill_is_sound CHECK (
    (refill_key IS NULL) = (refill_wei IS NULL) AND refill_wei > 0 AND scale(refill_wei) = 0 AND refill_key <> key_id);
