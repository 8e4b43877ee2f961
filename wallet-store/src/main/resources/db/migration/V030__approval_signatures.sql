-- Approvals are signatures: by which keys, over which texts, and whose agents are nobody's to approve for.
SET LOCAL ROLE bursar_owner;

-- The key that an approver signs with, and those that it signed with before. A thumbprint (RFC 7638) is taken once in a tenant,
-- also when it is retired: no two people have one key, and a key that was given up does not come back.
CREATE TABLE approver_key (
  tenant_id     uuid NOT NULL,
  approver_id   uuid NOT NULL,
  thumbprint    text NOT NULL COLLATE "C" CHECK (length(thumbprint) = 43),
  public_key    text NOT NULL,                     -- a JSON Web Key in its canonical form
  registered_at timestamptz NOT NULL,
  retired_at    timestamptz,
  PRIMARY KEY (tenant_id, thumbprint),
  FOREIGN KEY (tenant_id, approver_id) REFERENCES approver
);
CREATE UNIQUE INDEX approver_key_in_use ON approver_key (tenant_id, approver_id) WHERE retired_at IS NULL;

INSERT INTO approver_key (tenant_id, approver_id, thumbprint, public_key, registered_at)
SELECT tenant_id, approver_id, translate(rtrim(encode(sha256(convert_to(jwk, 'UTF8')), 'base64'), '='), '+/', '-_'), jwk, created_at
FROM (SELECT tenant_id, approver_id, created_at,
        CASE public_key::jsonb ->> 'crv'
          WHEN 'Ed25519' THEN format('{"crv":"Ed25519","kty":"OKP","x":"%s"}', public_key::jsonb ->> 'x')
          ELSE format('{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}', public_key::jsonb ->> 'x', public_key::jsonb ->> 'y')
        END AS jwk
      FROM approver WHERE public_key IS NOT NULL) AS known
ORDER BY created_at ON CONFLICT DO NOTHING;
ALTER TABLE approver DROP COLUMN public_key;

-- Counts the changes of a group's members and of their keys; it is part of what is signed.
ALTER TABLE approver_group ADD COLUMN revision int NOT NULL DEFAULT 1 CHECK (revision > 0);

-- The approvers whose agent it is: they never count for its spends.
CREATE TABLE agent_principal (
  tenant_id   uuid NOT NULL,
  agent_id    uuid NOT NULL,
  approver_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, agent_id, approver_id),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES agent,
  FOREIGN KEY (tenant_id, approver_id) REFERENCES approver
);

-- An administrator's key may name the approver who holds it.
ALTER TABLE api_key DROP CONSTRAINT api_key_check1;
ALTER TABLE api_key ADD CONSTRAINT api_key_person
  CHECK (CASE role WHEN 'approver' THEN approver_id IS NOT NULL WHEN 'admin' THEN true ELSE approver_id IS NULL END);

-- What was said: the text, and the signature over it by the key of that thumbprint. Absent where no key was asked for.
ALTER TABLE approval ADD COLUMN text text, ADD COLUMN thumbprint text COLLATE "C",
  ADD CHECK (thumbprint IS NULL OR (signature IS NOT NULL AND text IS NOT NULL));
CREATE INDEX approval_by_signature ON approval (tenant_id, approver_id, signature) WHERE thumbprint IS NOT NULL;

-- Rounds that ended without a quorum: what had been asked, and what dismissed it.
CREATE TABLE approval_round (
  tenant_id    uuid NOT NULL,
  spend_id     uuid NOT NULL,
  round        int NOT NULL,
  text         text NOT NULL,
  dismissed_by text NOT NULL CHECK (dismissed_by IN ('policy', 'group', 'decision')),
  at           timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, spend_id, round)
);

-- Approved with a delay, a payment is not prepared before this.
ALTER TABLE payment ADD COLUMN not_before timestamptz;

GRANT UPDATE (not_before) ON payment TO bursar_app;
GRANT SELECT, INSERT ON approver_key, approval_round TO bursar_app;
GRANT UPDATE (retired_at) ON approver_key TO bursar_app;
GRANT UPDATE (revision) ON approver_group TO bursar_app;
GRANT DELETE ON approver_group_member TO bursar_app;
GRANT SELECT, INSERT, DELETE ON agent_principal TO bursar_app;
