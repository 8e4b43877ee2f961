package io.bursar.store;

import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;

/** Makes many spends quickly, as copies of one that a lane has written. */
public final class ManySpends {
  private ManySpends() {}

  /**
   * Copies an allowed spend, one for each second up to now: spend, confirmed payment and entry, each with an amount of its own
   * (1, 2, 3 … base units) and a payee of its own. The entries say whose they are and when they were made, and
   * else what the first one says.
   *
   * @param key the idempotency key of the spend; those of the copies are {@code 1}, {@code 2} …
   * @param wallets whose the copies are, in turn
   */
  public static void multiply(TestDatabase test, String key, int count, List<UUID> wallets) {
    test.asAdministrator("""
        CREATE TEMPORARY TABLE made AS
          SELECT n, date_trunc('second', now()) - interval '1 second' * (%1$d - n) AS at FROM generate_series(1, %1$d) n;
        ALTER TABLE made ADD id uuid;
        UPDATE made SET id = (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000'
          || '8' || lpad(to_hex(n), 15, '0'))::uuid;
        INSERT INTO spend (tenant_id, spend_id, agent_id, wallet_id, idempotency_key, fingerprint, asset_id, amount, payee, method,
            effect, reason_codes, audit_seq, decided_at)
          SELECT s.tenant_id, m.id, w.agent_id, w.wallet_id, m.n::text, s.fingerprint, s.asset_id, m.n,
            substr(sha256(m.n::text::bytea), 1, 20), s.method, s.effect, s.reason_codes, l.audit_seq + m.n, m.at
          FROM lane l, made m JOIN unnest('{%2$s}'::uuid[]) WITH ORDINALITY AS u(wallet_id, no) ON u.no = m.n %% %4$d + 1
          JOIN wallet w ON w.wallet_id = u.wallet_id, spend s
          WHERE s.idempotency_key = '%3$s' AND l.tenant_id = s.tenant_id;
        INSERT INTO payment (tenant_id, spend_id, wallet_id, state, audit_seq, charged_at, due_at, updated_at, nonce,
            transaction_hash, block_hash)
          SELECT s.tenant_id, s.spend_id, s.wallet_id, 'confirmed', s.audit_seq, s.decided_at, s.decided_at, s.decided_at,
            s.audit_seq, '\\x01', '\\x02' FROM spend s JOIN made m ON m.id = s.spend_id;
        INSERT INTO audit_entry (tenant_id, seq, at, kind, subject, payload, leaf_hash)
          SELECT s.tenant_id, s.audit_seq, m.at, 'authorization', m.id, c.payload, sha256('\\x00'::bytea || c.payload)
          FROM made m JOIN spend s ON s.spend_id = m.id
          CROSS JOIN (SELECT f.subject, convert_from(f.payload, 'UTF8') AS text FROM audit_entry f JOIN spend o ON o.spend_id = f.subject
            WHERE f.kind = 'authorization' AND o.idempotency_key = '%3$s') e
          CROSS JOIN LATERAL (SELECT convert_to(regexp_replace(
            replace(e.text, replace(e.subject::text, '-', ''), replace(m.id::text, '-', '')), '"at":"[^"]*"',
            '"at":"' || to_char(m.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || '"'), 'UTF8') AS payload) c;
        UPDATE lane SET audit_seq = audit_seq + %1$d WHERE tenant_id = (SELECT tenant_id FROM spend WHERE idempotency_key = '%3$s');
        DROP TABLE made""".formatted(count,
        wallets.stream().map(UUID::toString).collect(Collectors.joining(",")), key, wallets.size()));
  }
}
