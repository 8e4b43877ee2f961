-- Who is told of events by HTTP, how far each of them has been told, and what came of each attempt. The events themselves are not
-- copied: they are read from the record, whose numbers are the cursor.
SET LOCAL ROLE bursar_owner;

CREATE TABLE webhook (
  tenant_id       uuid NOT NULL REFERENCES tenant,
  webhook_id      uuid NOT NULL,
  url             text NOT NULL CHECK (length(url) <= 2048),
  events          text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 50),
  secret          bytea NOT NULL CHECK (length(secret) BETWEEN 24 AND 64), -- it must sign, so a hash of it would not do
  looked_at       bigint NOT NULL CHECK (looked_at >= 0), -- the last number of the record that was looked at for it
  disabled_reason text,                                   -- why nothing is sent any more
  failures        int NOT NULL DEFAULT 0,                 -- attempts that failed since the last that did not
  failing_since   timestamptz,
  quiet_until     timestamptz NOT NULL DEFAULT '-infinity',
  lease           uuid,
  lease_until     timestamptz NOT NULL DEFAULT '-infinity',
  created_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, webhook_id),
  CHECK ((failures = 0) = (failing_since IS NULL))
);

CREATE TABLE webhook_delivery (
  tenant_id        uuid NOT NULL,
  webhook_id       uuid NOT NULL,
  seq              bigint NOT NULL,                       -- the event's number in the record
  subject          uuid NOT NULL,                         -- what it happened to: later events of it wait for this one
  type             text NOT NULL,
  state            text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts         int NOT NULL DEFAULT 0,
  due_at           timestamptz NOT NULL,
  first_attempt_at timestamptz,
  last_attempt_at  timestamptz,
  last_status      int,                                   -- of HTTP; null where there was no answer
  last_error       text,
  PRIMARY KEY (tenant_id, webhook_id, seq),
  FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhook ON DELETE CASCADE
);
CREATE INDEX webhook_delivery_pending ON webhook_delivery (tenant_id, webhook_id, subject, seq) WHERE state = 'pending';
CREATE INDEX webhook_delivery_old ON webhook_delivery (last_attempt_at) WHERE state <> 'pending';

GRANT SELECT, INSERT, DELETE ON webhook, webhook_delivery TO bursar_app;
GRANT UPDATE (looked_at, disabled_reason, failures, failing_since, quiet_until, lease, lease_until) ON webhook TO bursar_app;
GRANT UPDATE (state, attempts, due_at, first_attempt_at, last_attempt_at, last_status, last_error) ON webhook_delivery TO bursar_app;
