-- Spends of the last day as the lane would have written them, spread evenly over time and wallets: spend, payment, audit entry
-- and every bucket. One transaction; the service is idle. Variables: tenant, rows, wallets, file.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '512MB';
CREATE TEMPORARY TABLE key_of (definition text, wallet_id uuid, key bigint);
\set copy '\\copy key_of FROM ' :'file'
:copy
CREATE TEMPORARY TABLE wallet_no AS SELECT wallet_id, agent_id, row_number() OVER (ORDER BY wallet_id) - 1 AS no FROM wallet;
CREATE UNIQUE INDEX ON wallet_no (no);
CREATE TEMPORARY TABLE sample AS
  SELECT payload, replace(subject::text, '-', '') AS id FROM audit_entry WHERE kind = 'authorization' LIMIT 1;

CREATE TEMPORARY TABLE made AS
  SELECT n, uuidv7(at - clock_timestamp()) AS id, at, w.wallet_id, w.agent_id, l.audit_seq + n AS seq
  FROM generate_series(1, :rows) n, lane l,
    LATERAL (SELECT date_trunc('microseconds', now() - interval '23 hours 59 minutes' * ((:rows - n)::float8 / :rows)) AS at) t
    JOIN LATERAL (SELECT * FROM wallet_no WHERE no = (n * 7919::bigint) % :wallets) w ON true
  ORDER BY n;

INSERT INTO spend (tenant_id, spend_id, agent_id, wallet_id, idempotency_key, fingerprint, asset_id, amount, payee, method,
    effect, reason_codes, audit_seq, decided_at)
  SELECT :'tenant', id, agent_id, wallet_id, md5(n::text), sha256(n::text::bytea), (SELECT asset_id FROM asset), 10000,
    decode(repeat('b1', 20), 'hex'), 'transfer', 'allow', '{}', seq, at
  FROM made;
INSERT INTO payment (tenant_id, spend_id, wallet_id, state, audit_seq, charged_at, due_at, updated_at)
  SELECT :'tenant', id, wallet_id, 'authorized', seq, at, at, at FROM made;
INSERT INTO audit_entry (tenant_id, seq, at, kind, subject, payload, leaf_hash)
  SELECT :'tenant', seq, at, 'authorization', m.id, p.bytes, sha256('\x00'::bytea || p.bytes)
  FROM made m, sample s, LATERAL (
    SELECT convert_to(replace(convert_from(s.payload, 'UTF8'), s.id, replace(m.id::text, '-', '')), 'UTF8') AS bytes) p;
INSERT INTO limit_bucket (tenant_id, counter_no, key, slot_seconds, slot, amount, count)
  SELECT :'tenant', c.counter_no, k.key, size, floor(extract(epoch FROM m.at) / size)::bigint,
    count(*) * CASE WHEN c.counter_no IN (SELECT counter_no FROM limit_bucket WHERE amount > 0) THEN 10000 * 1000000000000::numeric ELSE 0 END,
    count(*)
  FROM made m JOIN key_of k ON k.wallet_id = m.wallet_id JOIN counter c ON c.definition = k.definition, unnest(c.slot_seconds) size
  GROUP BY c.counter_no, k.key, size, floor(extract(epoch FROM m.at) / size)
ON CONFLICT (tenant_id, counter_no, key, slot_seconds, slot)
DO UPDATE SET amount = limit_bucket.amount + excluded.amount, count = limit_bucket.count + excluded.count;
UPDATE lane SET audit_seq = audit_seq + :rows, epoch = epoch + 1;
COMMIT;
ANALYZE;
CHECKPOINT;
