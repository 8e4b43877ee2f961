-- A stopped lane authorizes nothing until a person lets it go on; and when each tenant's books were last counted again.
SET LOCAL ROLE bursar_owner;

ALTER TABLE lane
  ADD COLUMN stopped_at timestamptz,
  ADD COLUMN stopped_reason text,
  ADD CONSTRAINT lane_stop CHECK ((stopped_at IS NULL) = (stopped_reason IS NULL));
GRANT UPDATE (stopped_at, stopped_reason) ON lane TO bursar_app;

CREATE TABLE recount (
  tenant_id   uuid NOT NULL REFERENCES tenant,
  at          timestamptz NOT NULL,
  differences int NOT NULL CHECK (differences >= 0),
  PRIMARY KEY (tenant_id, at)
);
GRANT SELECT, INSERT ON recount TO bursar_app;
