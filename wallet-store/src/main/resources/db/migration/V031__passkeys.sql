-- Passkeys: the identifier and counter of an authenticator's credential, and what an assertion says beside its signature.
SET LOCAL ROLE bursar_owner;

ALTER TABLE approver_key ADD COLUMN credential_id bytea CHECK (length(credential_id) BETWEEN 1 AND 1023),
  ADD COLUMN sign_count bigint NOT NULL DEFAULT 0 CHECK (sign_count >= 0);
CREATE UNIQUE INDEX approver_key_credential ON approver_key (tenant_id, sha256(credential_id)) WHERE credential_id IS NOT NULL;
ALTER TABLE approval ADD COLUMN assertion text;
GRANT UPDATE (sign_count) ON approver_key TO bursar_app;
