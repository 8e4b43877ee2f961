-- What a person must look at, as long as it lasts: an alarm that is raised again and again is one row, and one entry of the record.
SET LOCAL ROLE bursar_owner;

CREATE TABLE alarm (
  tenant_id uuid NOT NULL REFERENCES tenant,
  alarm     text NOT NULL,
  subject   uuid NOT NULL,        -- the spend, wallet or webhook that it is about
  about     text NOT NULL,        -- the same as the record names it
  why       text NOT NULL,
  raised_at timestamptz NOT NULL, -- when it was put on the record
  last_at   timestamptz NOT NULL, -- when it was last found to be so
  PRIMARY KEY (tenant_id, alarm, subject)
);
CREATE INDEX alarm_by_time ON alarm (last_at);

GRANT SELECT, INSERT, DELETE ON alarm TO bursar_app;
GRANT UPDATE (why, raised_at, last_at) ON alarm TO bursar_app;
