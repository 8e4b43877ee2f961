-- The append-only record. An entry's bytes are written once and hashed as those bytes, as a leaf of RFC 6962, so that a
-- Merkle log can be laid over them without touching them. `seq` is gapless for each tenant.
SET LOCAL ROLE bursar_owner;

CREATE TABLE audit_entry (
  tenant_id uuid NOT NULL REFERENCES tenant,
  seq       bigint NOT NULL CHECK (seq > 0),
  at        timestamptz NOT NULL,
  kind      text NOT NULL,
  subject   uuid,
  payload   bytea NOT NULL CHECK (length(payload) BETWEEN 2 AND 65536),
  leaf_hash bytea NOT NULL,
  PRIMARY KEY (tenant_id, seq),
  CHECK (leaf_hash = sha256('\x00'::bytea || payload))
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER append_only_row;
ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER append_only_statement;

GRANT SELECT, INSERT ON audit_entry TO bursar_app;
