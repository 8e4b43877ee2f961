package io.bursar.store;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
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
    var found = new ArrayList<Row>();
    // One statement, so that a payment and its attempts are of the same moment; and each row looked up by all of its key, which a plain
    // join leaves to what is known of the tables when it is planned.
    database.sql().sql("""
        SELECT p.*, now() AS read_at, w.chain, w.address, s.amount, s.payee, a.contract, e.leaf_hash,
          c.leaf_hash AS cancellation, t.cancels, t.attempt, t.max_fee, t.priority_fee, t.raw_transaction, t.transaction_hash AS attempt_hash, t.first_sent_at, t.last_sent_at
        FROM unnest(:tenants::uuid[], :spends::uuid[]) AS k (tenant_id, spend_id)
        CROSS JOIN LATERAL (SELECT * FROM payment WHERE tenant_id = k.tenant_id AND spend_id = k.spend_id LIMIT 1) AS p
        CROSS JOIN LATERAL (SELECT * FROM spend WHERE tenant_id = k.tenant_id AND spend_id = k.spend_id LIMIT 1) AS s
        CROSS JOIN LATERAL (SELECT * FROM wallet WHERE tenant_id = k.tenant_id AND wallet_id = p.wallet_id LIMIT 1) AS w
        CROSS JOIN LATERAL (SELECT * FROM asset WHERE tenant_id = k.tenant_id AND asset_id = s.asset_id LIMIT 1) AS a
        CROSS JOIN LATERAL (SELECT leaf_hash FROM audit_entry WHERE tenant_id = k.tenant_id AND seq = p.audit_seq LIMIT 1) AS e
        LEFT JOIN LATERAL (SELECT leaf_hash FROM audit_entry WHERE tenant_id = k.tenant_id AND seq = p.cancel_seq LIMIT 1) AS c ON true
        LEFT JOIN LATERAL (SELECT * FROM payment_attempt WHERE tenant_id = k.tenant_id AND spend_id = k.spend_id OFFSET 0) AS t ON true
        ORDER BY p.nonce NULLS LAST, p.spend_id, t.attempt
        """).param("tenants", keys.stream().map(Payment.Key::tenantId).toArray(UUID[]::new))
        .param("spends", keys.stream().map(Payment.Key::spendId).toArray(UUID[]::new)).query(row -> {
          var key = new Payment.Key(row.getObject("tenant_id", UUID.class), row.getObject("spend_id", UUID.class));
          if (found.isEmpty() || !found.getLast().key.equals(key)) {
            found.add(row(key, row));
          }
          if (row.getObject("attempt") != null) {
            found.getLast().attempts.add(attempt(row));
          }
        });
    return found.stream().map(row -> row.payment(lease)).toList();
  }

  /** The columns of a payment whose meaning depends on its state. */
  private record Row(Payment.Key key, Payment.Wallet wallet, Payment.Order order, String state, boolean relayed,
      long nonce,
      long gasLimit, @Nullable Mined mined, @Nullable Instant expiresAt, @Nullable String failure, Instant readAt,
      Instant updatedAt, @Nullable Digest32 cancellation, List<AttemptRow> attempts) {

    Payment payment(@Nullable UUID lease) {
      return new Payment(key, wallet, order, paymentState(), new Payment.Reading(readAt, updatedAt, lease),
          cancellation);
    }

    private PaymentState paymentState() {
      return switch (state) {
        case "awaiting_approval" -> new PaymentState.AwaitingApproval(Objects.requireNonNull(expiresAt));
        case "authorized" -> new PaymentState.Authorized();
        case "prepared", "signed", "broadcast" -> relayed ? new PaymentState.Relayed(state) : ownTransaction();
        case "confirmed" -> new PaymentState.Confirmed(nonce, Objects.requireNonNull(mined));
        case "reverted" -> new PaymentState.Reverted(nonce, Objects.requireNonNull(mined));
        case "rejected" -> new PaymentState.Rejected();
        case "expired" -> new PaymentState.Expired();
        case "canceled" -> mined == null ? new PaymentState.Canceled() : new PaymentState.Annulled(nonce, mined);
        case "denied" -> new PaymentState.Denied();
        case "failed" -> new PaymentState.Failed(Objects.requireNonNull(failure));
        default -> throw new IllegalStateException("unknown payment state `" + state + "`");
      };
    }

    private PaymentState ownTransaction() {
      return state.equals("prepared")
          ? new PaymentState.Prepared(nonce, attempts.getLast().gas(gasLimit))
          : inFlight(state, nonce, gasLimit, attempts);
    }
  }

  /** An attempt as it stands in the table: not signed yet if {@code raw} is null. */
  private record AttemptRow(int number, boolean cancels, BigDecimal maxFee, BigDecimal priorityFee, @Nullable Bytes raw,
      @Nullable Digest32 hash, @Nullable Instant firstSentAt, @Nullable Instant lastSentAt) {
    Gas gas(long limit) {
      return new Gas(limit, maxFee.toBigIntegerExact(), priorityFee.toBigIntegerExact());
    }
  }

  private static Row row(Payment.Key key, ResultSet row) throws SQLException {
    var wallet = new Payment.Wallet(row.getObject("wallet_id", UUID.class), row.getString("chain"),
        Address.of(row.getBytes("address")));
    var order = new Payment.Order(Address.of(row.getBytes("contract")), Address.of(row.getBytes("payee")),
        row.getBigDecimal("amount").toBigIntegerExact(), Digest32.of(row.getBytes("leaf_hash")),
        time(row, "request_expires_at"));
    @Nullable
    Mined mined = row.getBytes("block_hash") == null
        ? null
        : new Mined(Digest32.of(row.getBytes("transaction_hash")), row.getLong("block_number"),
            Digest32.of(row.getBytes("block_hash")));
    return new Row(key, wallet, order, row.getString("state"), row.getString("mode").equals("relayed"),
        row.getLong("nonce"), row.getLong("gas_limit"), mined,
        time(row, "expires_at"), row.getString("failure"), Objects.requireNonNull(time(row, "read_at")),
        Objects.requireNonNull(time(row, "updated_at")), digest(row.getBytes("cancellation")), new ArrayList<>());
  }

  private static AttemptRow attempt(ResultSet row) throws SQLException {
    byte @Nullable [] raw = row.getBytes("raw_transaction");
    byte @Nullable [] hash = row.getBytes("attempt_hash");
    return new AttemptRow(row.getInt("attempt"), row.getBoolean("cancels"), row.getBigDecimal("max_fee"),
        row.getBigDecimal("priority_fee"),
        raw == null ? null : Bytes.of(raw), digest(hash), time(row, "first_sent_at"),
        time(row, "last_sent_at"));
  }

  private static PaymentState inFlight(String name, long nonce, long gasLimit, List<AttemptRow> rows) {
    var signed = new ArrayList<Attempt>();
    for (var row : rows) {
      if (row.raw == null || row.hash == null) {
        return new PaymentState.Replacing(nonce, signed, row.gas(gasLimit), row.cancels);
      }
      signed.add(new Attempt(row.number, row.cancels, row.gas(gasLimit), row.raw, row.hash,
          row.firstSentAt, row.lastSentAt));
    }
    return name.equals("signed")
        ? new PaymentState.Signed(nonce, signed)
        : new PaymentState.Broadcast(nonce, signed);
  }

  static @Nullable Digest32 digest(byte @Nullable [] bytes) {
    return bytes == null ? null : Digest32.of(bytes);
  }

  private static @Nullable Instant time(ResultSet row, String column) throws SQLException {
    @Nullable
    OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }
}
