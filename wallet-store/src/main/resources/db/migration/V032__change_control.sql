-- Change control: which kinds of change need a quorum, what was asked for, and what was said of it.
SET LOCAL ROLE bursar_owner;

CREATE TABLE change_control (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  scope      text NOT NULL CHECK (scope IN ('policies', 'attachments', 'groups', 'approver_keys')),
  group_id   uuid NOT NULL,
  threshold  int NOT NULL CHECK (threshold > 0),
  set_at     timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, scope),
  FOREIGN KEY (tenant_id, group_id) REFERENCES approver_group
);

-- `content` is what a quorum signs: the change, the state before and the state after. It never changes.
CREATE TABLE change_request (
  tenant_id    uuid NOT NULL REFERENCES tenant,
  change_id    uuid NOT NULL,
  kind         text NOT NULL,
  content      bytea NOT NULL,
  group_id     uuid NOT NULL,
  threshold    int NOT NULL CHECK (threshold > 0),
  requested_by text NOT NULL,
  requester    uuid,                               -- the approver who holds the key that asks, who never counts
  status       text NOT NULL CHECK (status IN ('pending', 'executed', 'rejected', 'expired', 'outdated', 'failed')),
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  break_glass_at timestamptz,                      -- when it is executed without a quorum, unless a member of the group objects
  updated_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, change_id),
  FOREIGN KEY (tenant_id, group_id) REFERENCES approver_group
);
CREATE INDEX change_request_due ON change_request (coalesce(break_glass_at, expires_at)) WHERE status = 'pending';

CREATE TABLE change_verdict (
  tenant_id   uuid NOT NULL,
  change_id   uuid NOT NULL,
  approver_id uuid NOT NULL,
  text        text NOT NULL,
  signature   text,
  thumbprint  text COLLATE "C",
  assertion   text,
  comment     text,
  at          timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, change_id, approver_id, at),
  FOREIGN KEY (tenant_id, change_id) REFERENCES change_request
);

GRANT SELECT, INSERT, DELETE ON change_control TO bursar_app;
GRANT UPDATE (group_id, threshold, set_at) ON change_control TO bursar_app;
GRANT SELECT, INSERT ON change_request, change_verdict TO bursar_app;
GRANT UPDATE (status, break_glass_at, updated_at) ON change_request TO bursar_app;
