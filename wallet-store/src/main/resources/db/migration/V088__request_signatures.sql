-- An API key may be bound to a key pair: who has its secret alone can change nothing.
SET LOCAL ROLE bursar_owner;

ALTER TABLE api_key ADD COLUMN public_key text; -- a canonical JSON Web Key; null for a key that is a secret and nothing more

-- What was signed and done within the last minutes, so that nobody who saw it can have it done again. Swept.
CREATE TABLE used_signature (
  tenant_id uuid NOT NULL,
  key_id    uuid NOT NULL,
  signed    bytea NOT NULL CHECK (length(signed) = 32), -- SHA-256 of the signature base: of one request there are many signatures
  used_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key_id, signed),
  FOREIGN KEY (tenant_id, key_id) REFERENCES api_key
);
CREATE INDEX used_signature_by_time ON used_signature (used_at);

GRANT SELECT, INSERT, DELETE ON used_signature TO bursar_app;
