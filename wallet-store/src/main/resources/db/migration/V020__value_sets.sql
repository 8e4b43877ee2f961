-- Named sets of values that policies refer to by name and version. A version never changes.
SET LOCAL ROLE bursar_owner;

CREATE TABLE value_set (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  set_id     uuid NOT NULL,
  name       text NOT NULL COLLATE "C",
  kind       text NOT NULL CHECK (kind IN ('addresses', 'hosts', 'strings')),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, set_id),
  UNIQUE (tenant_id, name)
);

-- Values are in canonical form, in ascending order and each once; `digest` is over their JSON array.
CREATE TABLE value_set_version (
  tenant_id  uuid NOT NULL,
  set_id     uuid NOT NULL,
  version    int NOT NULL CHECK (version > 0),
  digest     text NOT NULL COLLATE "C",
  items      text[] NOT NULL CHECK (cardinality(items) BETWEEN 1 AND 100000),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, set_id, version),
  FOREIGN KEY (tenant_id, set_id) REFERENCES value_set
);

GRANT SELECT, INSERT ON value_set, value_set_version TO bursar_app;
