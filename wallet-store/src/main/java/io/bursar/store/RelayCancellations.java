package io.bursar.store;

import java.util.List;
import java.util.Map;

import io.bursar.permit.Bytes;
import io.bursar.store.PaymentState.Mined;

/**
 * Payments by authorization that somebody has asked on the record to be canceled. The authorization goes into no further transaction;
 * that it is canceled is taken to the token like an authorization, and all stays reserved until the chain has decided.
 */
public final class RelayCancellations {
  private static final String UNSIGNED = """
      p.cancel_seq IS NOT NULL AND p.state IN ('signed', 'broadcast') AND EXISTS (SELECT FROM payment_authorization z
        WHERE z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id AND z.cancel_signature IS NULL OFFSET 0)""";

  private final Database database;
  private final AuditEntries audit;
  private final Reservations reservations;
  private final RelayStore payments;

  RelayCancellations(Database database, AuditEntries audit, Reservations reservations, RelayStore payments) {
    this.database = database;
    this.audit = audit;
    this.reservations = reservations;
    this.payments = payments;
  }

  /** Takes payments of a chain whose cancellation is to be signed; an authorization that may exist is signed and recorded before. */
  public List<RelayedPayment> claimUnsigned(String chain, int most) {
    return payments.claim(chain, UNSIGNED, 0, most);
  }

  /** Records signatures of cancellations. */
  public void sign(Map<RelayedPayment, Bytes> signatures) {
    for (var group : RelayStore.byTenant(signatures.keySet()).entrySet()) {
      database.inTransaction(() -> {
        var entries = audit.together(group.getKey());
        var signed = group.getValue().stream().filter(payment -> database.sql().sql("""
            UPDATE payment_authorization z SET cancel_signature = :signature FROM payment p
            WHERE z.tenant_id = :tenant AND z.spend_id = :spend AND z.cancel_signature IS NULL
              AND p.tenant_id = z.tenant_id AND p.spend_id = z.spend_id AND p.state IN ('signed', 'broadcast')
            """).param("signature", java.util.Objects.requireNonNull(signatures.get(payment)).toByteArray())
            .param("tenant", payment.tenantId()).param("spend", payment.spendId()).update() == 1).toList();
        signed.forEach(payment -> entries.add("payment.cancel_signed", payment.spendId(), RelayStore.ACTOR,
            RelayStore.entry(payment).build()));
        entries.write();
      });
    }
    payments.release(signatures.keySet(), java.time.Duration.ZERO, null);
  }

  /**
   * Ends a payment whose authorization the token has canceled, in a block that is final, and gives back all that it holds. One that is
   * over already stays as it is.
   */
  public void annul(RelayedPayment payment, Mined mined) {
    database.inTransaction(() -> {
      audit.lock(payment.tenantId());
      int changed = database.sql().sql("""
          UPDATE payment SET state = 'canceled', failure = NULL, transaction_hash = :hash, block_number = :block,
            block_hash = :blockHash, lease_until = '-infinity', updated_at = clock_timestamp()
          WHERE tenant_id = :tenant AND spend_id = :spend AND mode = 'relayed' AND state IN ('prepared', 'signed', 'broadcast')
          """).param("hash", mined.transactionHash().bytes()).param("block", mined.blockNumber())
          .param("blockHash", mined.blockHash().bytes()).param("tenant", payment.tenantId())
          .param("spend", payment.spendId()).update();
      if (changed == 1) {
        var slot = audit.nextChanging(payment.tenantId(), true, false);
        reservations.giveBack(slot, payment.spendId(), Reservations.GiveBack.ALL);
        audit.write(slot, "payment.canceled", payment.spendId(), RelayStore.ACTOR,
            RelayStore.entry(payment).put("transactionHash", "0x" + mined.transactionHash())
                .put("block", mined.blockNumber()).put("blockHash", "0x" + mined.blockHash()).build());
      }
    });
  }
}
