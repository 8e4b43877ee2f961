package io.bursar.store;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.store.PaymentState.Attempt;
import io.bursar.store.PaymentState.Mined;

/** Payments as rows, read whole: the payment, what was ordered, and every transaction made for it. */
final class PaymentRows {
  private final Database database;

  PaymentRows(Database database) {
    this.database = database;
  }

  /**
   * The payments of these keys that exist: those with a nonce first and by nonce, the others as they were decided.
   *
   * @param lease under which they are read, or null
   */
  List<Payment> read(Collection<Payment.Key> keys, @Nullable UUID lease) {
    if (keys.isEmpty()) {
      return List.of();
    }
    var attempts = attempts(keys);
    return database.sql()
        .sql(
            """
            SELECT p.*, now() AS read_at, w.chain, w.address, s.amount, s.payee, a.contract, e.leaf_hash
            FROM unnest(:tenants::uuid[], :spends::uuid[]) AS k (tenant_id, spend_id)
            JOIN payment p USING (tenant_id, spend_id)
            JOIN spend s USING (tenant_id, spend_id)
            JOIN wallet w ON w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id
            JOIN asset a ON a.tenant_id = p.tenant_id AND a.asset_id = s.asset_id
            JOIN audit_entry e ON e.tenant_id = p.tenant_id AND e.seq = p.audit_seq
            ORDER BY p.nonce NULLS LAST, p.spend_id
            """)
        .param("tenants", tenants(keys)).param("spends", spends(keys))
        .query((row, n) -> payment(row, attempts, lease)).list();
  }

  static UUID[] tenants(Collection<Payment.Key> keys) {
    return keys.stream().map(Payment.Key::tenantId).toArray(UUID[]::new);
  }

  static UUID[] spends(Collection<Payment.Key> keys) {
    return keys.stream().map(Payment.Key::spendId).toArray(UUID[]::new);
  }

  /** An attempt as it stands in the table: not signed yet if {@code signed} is null. */
  private record AttemptRow(BigDecimal maxFee, BigDecimal priorityFee, int number, @Nullable Bytes raw,
      @Nullable Digest32 hash, @Nullable Instant firstSentAt, @Nullable Instant lastSentAt) {
    Gas gas(long limit) {
      return new Gas(limit, maxFee.toBigIntegerExact(), priorityFee.toBigIntegerExact());
    }
  }

  private Map<Payment.Key, List<AttemptRow>> attempts(Collection<Payment.Key> keys) {
    var attempts = new HashMap<Payment.Key, List<AttemptRow>>();
    database.sql().sql("""
                       SELECT t.* FROM unnest(:tenants::uuid[], :spends::uuid[]) AS k (tenant_id, spend_id)
                       JOIN payment_attempt t USING (tenant_id, spend_id)
                       ORDER BY t.attempt
                       """).param("tenants", tenants(keys)).param("spends", spends(keys)).query(row -> {
      var key = new Payment.Key(row.getObject("tenant_id", UUID.class), row.getObject("spend_id", UUID.class));
      byte @Nullable [] raw = row.getBytes("raw_transaction");
      byte @Nullable [] hash = row.getBytes("transaction_hash");
      attempts.computeIfAbsent(key, k -> new ArrayList<>())
          .add(new AttemptRow(row.getBigDecimal("max_fee"), row.getBigDecimal("priority_fee"), row.getInt("attempt"),
              raw == null ? null : Bytes.of(raw), hash == null ? null : Digest32.of(hash),
              time(row, "first_sent_at"), time(row, "last_sent_at")));
    });
    return attempts;
  }

  private static Payment payment(ResultSet row, Map<Payment.Key, List<AttemptRow>> attempts,
      @Nullable UUID lease) throws SQLException {
    var key = new Payment.Key(row.getObject("tenant_id", UUID.class), row.getObject("spend_id", UUID.class));
    var wallet = new Payment.Wallet(row.getObject("wallet_id", UUID.class), row.getString("chain"),
        Address.of(row.getBytes("address")));
    var order = new Payment.Order(Address.of(row.getBytes("contract")), Address.of(row.getBytes("payee")),
        row.getBigDecimal("amount").toBigIntegerExact(), Digest32.of(row.getBytes("leaf_hash")),
        time(row, "request_expires_at"));
    var reading = new Payment.Reading(requiredTime(row, "read_at"), requiredTime(row, "updated_at"), lease);
    return new Payment(key, wallet, order, state(row, attempts.getOrDefault(key, List.of())), reading);
  }

  private static PaymentState state(ResultSet row, List<AttemptRow> rows) throws SQLException {
    long nonce = row.getLong("nonce");
    long gasLimit = row.getLong("gas_limit");
    var name = row.getString("state");
    return switch (name) {
      case "awaiting_approval" -> new PaymentState.AwaitingApproval(requiredTime(row, "expires_at"));
      case "authorized" -> new PaymentState.Authorized();
      case "prepared" -> new PaymentState.Prepared(nonce, rows.getLast().gas(gasLimit));
      case "signed", "broadcast" -> inFlight(name, nonce, gasLimit, rows);
      case "confirmed" -> new PaymentState.Confirmed(nonce, mined(row));
      case "reverted" -> new PaymentState.Reverted(nonce, mined(row));
      case "rejected" -> new PaymentState.Rejected();
      case "expired" -> new PaymentState.Expired();
      case "canceled" -> new PaymentState.Canceled();
      case "denied" -> new PaymentState.Denied();
      case "failed" -> new PaymentState.Failed(row.getString("failure"));
      default -> throw new IllegalStateException("unknown payment state `" + name + "`");
    };
  }

  private static PaymentState inFlight(String name, long nonce, long gasLimit, List<AttemptRow> rows) {
    var signed = new ArrayList<Attempt>();
    for (var row : rows) {
      if (row.raw == null || row.hash == null) {
        return new PaymentState.Replacing(nonce, signed, row.gas(gasLimit));
      }
      signed.add(new Attempt(row.number, row.gas(gasLimit), row.raw, row.hash, row.firstSentAt, row.lastSentAt));
    }
    return name.equals("signed")
        ? new PaymentState.Signed(nonce, signed)
        : new PaymentState.Broadcast(nonce, signed);
  }

  private static Mined mined(ResultSet row) throws SQLException {
    return new Mined(Digest32.of(row.getBytes("transaction_hash")), row.getLong("block_number"),
        Digest32.of(row.getBytes("block_hash")));
  }

  private static @Nullable Instant time(ResultSet row, String column) throws SQLException {
    @Nullable
    OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }

  private static Instant requiredTime(ResultSet row, String column) throws SQLException {
    return row.getObject(column, OffsetDateTime.class).toInstant();
  }
}
