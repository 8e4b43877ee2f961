-- What the auditor asks, by index. Every index on `spend` costs each decision an insertion, so there is one that every spend
-- enters; the others hold only what is rare, and cost an ordinary spend the look at their condition.
SET LOCAL ROLE bursar_owner;

-- All spends to a payee, in the order of time (identifiers sort by time).
CREATE INDEX spend_by_payee ON spend (tenant_id, payee, spend_id);
-- All that were not allowed outright.
CREATE INDEX spend_restricted ON spend (tenant_id, spend_id) WHERE effect <> 'allow';
-- All that ended without paying.
CREATE INDEX payment_unpaid ON payment (tenant_id, spend_id) WHERE state IN ('reverted', 'expired', 'canceled', 'failed');
-- What people changed, among the millions of entries that spends make.
CREATE INDEX audit_policy ON audit_entry (tenant_id, seq) WHERE kind LIKE 'policy.%';
