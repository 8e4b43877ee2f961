-- Prints a line for each thing that does not agree with the spends; nothing if all does.
WITH made AS (SELECT count(*) AS n, coalesce(sum(amount), 0) AS units, max(audit_seq) AS last FROM spend)
SELECT 'payments: ' || (SELECT count(*) FROM payment) || ' for ' || n FROM made WHERE n <> (SELECT count(*) FROM payment)
UNION ALL
SELECT 'authorizations: ' || (SELECT count(*) FROM audit_entry WHERE kind = 'authorization') || ' for ' || n FROM made
  WHERE n <> (SELECT count(*) FROM audit_entry WHERE kind = 'authorization')
UNION ALL
SELECT 'audit sequence: ' || audit_seq || ' but ' || (SELECT count(*) FROM audit_entry) || ' entries' FROM lane
  WHERE audit_seq <> (SELECT count(*) FROM audit_entry) OR audit_seq <> (SELECT max(seq) FROM audit_entry)
UNION ALL
-- A counter's amounts are parts of 10^-18, those of USDC 10^-6; one that only counts has no amounts.
SELECT 'counter ' || counter_no || ' in slots of ' || slot_seconds || ' s: ' || sum(count) || ' spends, ' || sum(b.amount) || ' parts'
  FROM limit_bucket b, made GROUP BY counter_no, slot_seconds, n, units
  HAVING sum(count) <> n OR sum(b.amount) NOT IN (0, units * 1000000000000::numeric);
