package io.bursar.store;

import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;

/** Makes many spends quickly, as copies of one that a lane has written. */
public final class ManySpends {
  /** So many are made in one transaction. */
  private static final int AT_ONCE = 250_000;

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
    goOn(test, key, 0, count, wallets);
  }

  /** As {@link #multiply}, where some of the copies are there already. */
  public static void goOn(TestDatabase test, String key, int present, int count, List<UUID> wallets) {
    for (int first = present + 1; first <= count; first += AT_ONCE) {
      multiply(test, key, new Part(first, Math.min(count, first + AT_ONCE - 1), count), wallets);
    }
  }

  /** The copies from one number to another, of so many. */
  private record Part(int first, int last, int of) {}

  private static void multiply(TestDatabase test, String key, Part part, List<UUID> wallets) {
    test.asAdministrator("""
        CREATE TEMPORARY TABLE made AS
          SELECT s.tenant_id, n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000'
            || '8' || lpad(to_hex(n), 15, '0'))::uuid AS id
          FROM spend s, generate_series(%1$d, %2$d) n,
            LATERAL (SELECT date_trunc('second', now()) - interval '1 second' * (%3$d - n) AS at) t
          WHERE s.idempotency_key = '%6$s';
        ANALYZE made;
        INSERT INTO spend (tenant_id, spend_id, agent_id, wallet_id, idempotency_key, fingerprint, asset_id, amount, payee, method,
            effect, reason_codes, audit_seq, decided_at)
          SELECT s.tenant_id, m.id, w.agent_id, w.wallet_id, m.n::text, s.fingerprint, s.asset_id, m.n,
            substr(sha256(m.n::text::bytea), 1, 20), s.method, s.effect, s.reason_codes, l.audit_seq + m.n - %1$d + 1, m.at
          FROM lane l, made m JOIN unnest('{%4$s}'::uuid[]) WITH ORDINALITY AS u(wallet_id, no) ON u.no = m.n %% %5$d + 1
          JOIN wallet w ON w.wallet_id = u.wallet_id, spend s
          WHERE s.idempotency_key = '%6$s' AND l.tenant_id = s.tenant_id ORDER BY m.n;
        INSERT INTO payment (tenant_id, spend_id, wallet_id, state, audit_seq, charged_at, due_at, updated_at, nonce,
            transaction_hash, block_hash)
          SELECT s.tenant_id, s.spend_id, s.wallet_id, 'confirmed', s.audit_seq, s.decided_at, s.decided_at, s.decided_at,
            s.audit_seq, '\\x01', '\\x02' FROM made m JOIN spend s ON s.tenant_id = m.tenant_id AND s.spend_id = m.id ORDER BY m.n;
        INSERT INTO audit_entry (tenant_id, seq, at, kind, subject, payload, leaf_hash)
          SELECT s.tenant_id, s.audit_seq, m.at, 'authorization', m.id, c.payload, sha256('\\x00'::bytea || c.payload)
          FROM made m JOIN spend s ON s.tenant_id = m.tenant_id AND s.spend_id = m.id
          CROSS JOIN (SELECT regexp_replace(replace(convert_from(f.payload, 'UTF8'), replace(f.subject::text, '-', ''), chr(1)),
              '"at":"[^"]*"', '"at":"' || chr(2) || '"') AS text
            FROM audit_entry f JOIN spend o ON o.tenant_id = f.tenant_id AND o.spend_id = f.subject AND o.audit_seq = f.seq
            WHERE o.idempotency_key = '%6$s' OFFSET 0) e
          CROSS JOIN LATERAL (SELECT convert_to(replace(replace(e.text, chr(1), replace(m.id::text, '-', '')), chr(2),
            to_char(m.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), 'UTF8') AS payload OFFSET 0) c
          ORDER BY m.n;
        UPDATE lane SET audit_seq = audit_seq + %2$d - %1$d + 1
          WHERE tenant_id = (SELECT tenant_id FROM spend WHERE idempotency_key = '%6$s');
        DROP TABLE made""".formatted(part.first, part.last, part.of,
        wallets.stream().map(UUID::toString).collect(Collectors.joining(",")), wallets.size(), key));
  }
  /** Has each so-many-th copy decided again a minute after it was made, as what waited for approvers is. */
  public static void decideAgain(TestDatabase test, int each) {
    test.asAdministrator("""
        INSERT INTO redecision (tenant_id, authorization_id, spend_id, wallet_id, effect, reason_codes, audit_seq, decided_at)
          SELECT tenant_id, (lpad(to_hex((extract(epoch FROM decided_at) * 1000)::bigint + 60000), 12, '0') || '7000'
            || '9' || lpad(to_hex(audit_seq), 15, '0'))::uuid, spend_id, wallet_id, effect, reason_codes, audit_seq,
            decided_at + interval '1 minute'
          FROM spend WHERE audit_seq %% %d = 0 AND idempotency_key ~ '^[0-9]+$' ORDER BY audit_seq""".formatted(each));
  }
}
