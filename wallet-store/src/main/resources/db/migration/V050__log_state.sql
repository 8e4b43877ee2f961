-- How far each tenant's log is laid over its entries. Leaf n is the entry with seq n + 1, so nothing is copied: full tiles are
-- immutable files, and what is here can be derived again from the entries and the files.
SET LOCAL ROLE bursar_owner;

CREATE TABLE log_state (
  tenant_id       uuid PRIMARY KEY REFERENCES tenant,
  size            bigint NOT NULL DEFAULT 0 CHECK (size >= 0),  -- entries that are in the tree
  edge            bytea NOT NULL DEFAULT '',                    -- roots of its complete subtrees, largest first, 32 bytes each
  upper_tiles     bytea NOT NULL DEFAULT '',                    -- hashes of the partial tiles of levels 1, 2, …, one after the other
  checkpoint      bytea,                                        -- the signed head that is published
  checkpoint_size bigint NOT NULL DEFAULT 0 CHECK (checkpoint_size <= size),
  stopped         text,                                         -- why nothing is sequenced until a person acts
  published       boolean NOT NULL DEFAULT false,               -- whether anybody may read it
  epoch           bigint NOT NULL DEFAULT 0,                    -- fences off whoever held the lease before
  lease_until     timestamptz NOT NULL DEFAULT '-infinity',
  CHECK (length(edge) % 32 = 0 AND length(edge) <= 2048 AND length(upper_tiles) % 32 = 0),
  CHECK ((checkpoint IS NULL) = (checkpoint_size = 0))
);

GRANT SELECT, INSERT ON log_state TO bursar_app;
GRANT UPDATE (size, edge, upper_tiles, checkpoint, checkpoint_size, stopped, published, epoch, lease_until) ON log_state
  TO bursar_app;

-- A bundle of entries gives each two bytes of length.
ALTER TABLE audit_entry ADD CONSTRAINT audit_entry_fits_a_bundle CHECK (length(payload) <= 65535);
