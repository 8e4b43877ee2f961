package io.bursar.store;

import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.UnaryOperator;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.namedparam.MapSqlParameterSource;
import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;
import io.bursar.store.PaymentState.Mined;
import io.bursar.store.RelayedPayment.Canceling;
import io.bursar.store.RelayedPayment.Terms;

/**
 * Payments that go by authorization, moved many at a time: each move of a tenant's payments is one transaction with an entry in the
 * record for each of them. Work is taken by a short lease; a row changes only from the state and the lease under which it was read.
 */
public final class RelayStore {
  static final String ACTOR = "settlement";
  /** Each row looked up by all of its key, which a plain join leaves to what is known of the tables when it is planned. */
  private static final String READ = """
      SELECT p.tenant_id, p.spend_id, p.wallet_id, p.state, p.request_expires_at,
        (extract(epoch FROM now() - p.updated_at) * 1000)::bigint AS age, w.chain, w.address, s.amount, s.payee,
        x.contract, x.eip712_name, x.eip712_version, e.leaf_hash, z.nonce AS terms_nonce, z.valid_before, z.from_block, z.signature,
        c.leaf_hash AS cancellation, z.cancel_signature,
        CASE WHEN w.status = 'frozen' THEN 'the wallet is frozen' WHEN a.status = 'suspended' THEN 'the agent is suspended'
          WHEN p.not_before > now() THEN 'its delay after the approval is not over' END AS hold
      FROM unnest(:tenants::uuid[], :spends::uuid[]) AS k (tenant_id, spend_id)
      CROSS JOIN LATERAL (SELECT * FROM payment WHERE tenant_id = k.tenant_id AND spend_id = k.spend_id LIMIT 1) AS p
      CROSS JOIN LATERAL (SELECT * FROM spend WHERE tenant_id = k.tenant_id AND spend_id = k.spend_id LIMIT 1) AS s
      CROSS JOIN LATERAL (SELECT * FROM wallet WHERE tenant_id = k.tenant_id AND wallet_id = p.wallet_id LIMIT 1) AS w
      CROSS JOIN LATERAL (SELECT status FROM agent WHERE tenant_id = k.tenant_id AND agent_id = w.agent_id LIMIT 1) AS a
      CROSS JOIN LATERAL (SELECT * FROM asset WHERE tenant_id = k.tenant_id AND asset_id = s.asset_id LIMIT 1) AS x
      CROSS JOIN LATERAL (SELECT leaf_hash FROM audit_entry WHERE tenant_id = k.tenant_id AND seq = p.audit_seq LIMIT 1) AS e
      LEFT JOIN LATERAL (SELECT leaf_hash FROM audit_entry WHERE tenant_id = k.tenant_id AND seq = p.cancel_seq LIMIT 1) AS c ON true
      LEFT JOIN LATERAL (SELECT * FROM payment_authorization WHERE tenant_id = k.tenant_id AND spend_id = k.spend_id LIMIT 1) AS z ON true
      ORDER BY p.spend_id
      """;

  /**
   * Names of states, for statements that change rows which they name. They are parameters there: a plan made while there were few payments
   * would find these rows by an index of a state's payments, and read more of them every time.
   */
  static final String UNSETTLED = "authorized prepared signed broadcast";
  /** As {@link #UNSETTLED}: those that may be or become signed. */
  private static final String SIGNING = "prepared signed broadcast";

  private final Database database;
  private final AuditEntries audit;
  private final Reservations reservations;
  private final Funds funds;
  private final Duration lease;

  /**
   * A store.
   *
   * @param lease how long payments stay with the one that took them; a minute at the most
   */
  public RelayStore(Database database, AuditEntries audit, Reservations reservations, Duration lease) {
    this.database = database;
    this.audit = audit;
    this.reservations = reservations;
    this.funds = new Funds(database, audit, reservations);
    this.lease = lease;
  }

  /** What is to be canceled of them. */
  public RelayCancellations cancellations() {
    return new RelayCancellations(database, audit, reservations, this);
  }

  /** Takes payments of a chain that have no signature yet, those that wait longest first. */
  public List<RelayedPayment> claimUnsigned(String chain, int most) {
    return claim(chain, "p.state IN ('authorized', 'prepared')", 0, most);
  }

  /**
   * Takes signed payments of a chain whose authorization is over, by the time of a block that is final, and that are in no transaction
   * which could still be mined.
   *
   * @param time of the block, in seconds since 1970
   */
  public List<RelayedPayment> claimOutlived(String chain, long time, int most) {
    return claim(chain, """
        p.state IN ('prepared', 'signed', 'broadcast') AND EXISTS (SELECT FROM payment_authorization z
          WHERE z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id AND z.valid_before <= :time OFFSET 0)""", time,
        most);
  }

  List<RelayedPayment> claim(String chain, String which, long time, int most) {
    return database.inTransaction(() -> {
      var keys = sql("""
          UPDATE payment SET lease = :lease, lease_until = now() + :length * interval '1 millisecond'
          WHERE ctid = ANY (ARRAY(
            SELECT p.ctid FROM payment p
            WHERE p.mode = 'relayed' AND p.due_at <= now() AND %s AND %s
              AND :chain = (SELECT w.chain FROM wallet w WHERE w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id)
            ORDER BY p.due_at, p.spend_id LIMIT :most FOR UPDATE OF p SKIP LOCKED))
          RETURNING tenant_id, spend_id
          """.formatted(PaymentStore.FREE, which)).param("lease", UUID.randomUUID()).param("length", lease.toMillis())
          .param("chain", chain)
          .param("time", time).param("most", most)
          .query((row, n) -> new Payment.Key(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "spend_id"))).list();
      return read(keys);
    });
  }

  /** The payments of these keys that exist. */
  public List<RelayedPayment> read(Collection<Payment.Key> keys) {
    return sql(READ).param("tenants", keys.stream().map(Payment.Key::tenantId).toArray(UUID[]::new))
        .param("spends", keys.stream().map(Payment.Key::spendId).toArray(UUID[]::new)).query((row, n) -> payment(row))
        .list();
  }

  /**
   * What accounts hold by a block.
   *
   * @param amounts base units, of every account that is to pay
   */
  public record Balances(long block, Map<Funds.Account, BigInteger> amounts) {}

  /**
   * Those whose terms are fixed now, and those that their wallets cannot pay. The others could not be moved.
   *
   * @param poor in their order
   */
  public record Prepared(List<RelayedPayment> prepared, List<RelayedPayment> poor) {}

  /**
   * Fixes the terms of authorizations, before anything is signed: of as many as their wallets can pay beside all that is promised
   * already, in their order. That is looked at while the tenant's lane is held, so that no two processes promise the same money.
   */
  public Prepared prepare(List<RelayedPayment> payments, Balances balances, Function<RelayedPayment, Terms> terms) {
    var prepared = new LinkedHashMap<RelayedPayment, RelayedPayment>();
    payments.forEach(payment -> prepared.put(payment, payment.with("prepared", terms.apply(payment))));
    var poor = new ArrayList<RelayedPayment>();
    var moves = move(payments, "payment.prepared", "authorized", "prepared",
        payment -> entry(prepared(prepared, payment)).build(), affordable(balances, poor),
        (moved, rest) -> {
          var fixed = moved.stream().map(payment -> fixed(prepared(prepared, payment))).toList();
          rest.add(moved.size(), """
              INSERT INTO payment_authorization (tenant_id, spend_id, nonce, valid_before, from_block)
              SELECT :tenant, k.* FROM unnest(:spends::uuid[], :nonces::bytea[], :until::bigint[], :blocks::bigint[]) AS k
              """).param("nonces", fixed.stream().map(of -> of.nonce().bytes()).toArray(byte[][]::new))
              .param("until", fixed.stream().map(Terms::validBefore).toArray(Long[]::new))
              .param("blocks", fixed.stream().map(Terms::fromBlock).toArray(Long[]::new));
        });
    return new Prepared(moves.stream().map(payment -> prepared(prepared, payment)).toList(), poor);
  }

  private UnaryOperator<List<RelayedPayment>> affordable(Balances balances, List<RelayedPayment> poor) {
    return payments -> {
      var accounts = payments.stream().map(RelayedPayment::account).distinct().toList();
      var left = new HashMap<Funds.Account, BigInteger>();
      var promised = funds.promised(accounts, balances.block);
      accounts.forEach(account -> left.put(account, java.util.Objects.requireNonNull(balances.amounts.get(account))
          .subtract(promised.getOrDefault(account, BigInteger.ZERO))));
      var chosen = new ArrayList<RelayedPayment>();
      for (var payment : payments) {
        var rest = java.util.Objects.requireNonNull(left.get(payment.account())).subtract(payment.order().amount());
        if (rest.signum() >= 0) {
          left.put(payment.account(), rest);
          chosen.add(payment);
        } else {
          poor.add(payment);
        }
      }
      return chosen;
    };
  }

  private static RelayedPayment prepared(Map<RelayedPayment, RelayedPayment> by, RelayedPayment payment) {
    return java.util.Objects.requireNonNull(by.get(payment));
  }

  /** Records signatures, and gives the leases back: whoever has a relayer may take what is signed. */
  public void sign(Map<RelayedPayment, Bytes> signatures) {
    var _ = move(List.copyOf(signatures.keySet()), "payment.signed", "prepared", "signed",
        payment -> entry(payment).build(), UnaryOperator.identity(), (moved, rest) -> rest.add(moved.size(), """
            UPDATE payment_authorization z SET signature = (
              SELECT k.signature FROM unnest(:spends::uuid[], :signatures::bytea[]) AS k (spend_id, signature) WHERE k.spend_id = z.spend_id)
            WHERE z.tenant_id = :tenant AND z.spend_id = ANY (:spends::uuid[])
            """).param("signatures", moved.stream()
            .map(payment -> java.util.Objects.requireNonNull(signatures.get(payment)).toByteArray())
            .toArray(byte[][]::new)));
  }

  /** Records that payments are paid by a transaction that is final. Those that are over already stay as they are. */
  public void confirm(List<RelayedPayment> paid, Mined mined) {
    for (var group : byTenant(paid).entrySet()) {
      database.inTransaction(() -> {
        var entries = audit.together(group.getKey());
        Set<UUID> changed = new HashSet<>(sql("""
            UPDATE payment SET state = 'confirmed', failure = NULL, transaction_hash = :hash, block_number = :block,
              block_hash = :blockHash, lease_until = '-infinity', updated_at = :at
            WHERE tenant_id = :tenant AND spend_id = ANY (:spends::uuid[]) AND mode = 'relayed' AND state = ANY (string_to_array(:from, ' '))
            RETURNING spend_id
            """).param("from", SIGNING).param("hash", mined.transactionHash().bytes())
            .param("block", mined.blockNumber())
            .param("blockHash", mined.blockHash().bytes()).param("at", Directory.utc(entries.at()))
            .param("tenant", group.getKey())
            .param("spends", spends(group.getValue())).query(UUID.class).list());
        group.getValue().stream().filter(payment -> changed.contains(payment.spendId()))
            .forEach(payment -> entries.add("payment.confirmed", payment.spendId(), ACTOR,
                entry(payment).put("transactionHash", "0x" + mined.transactionHash()).put("block", mined.blockNumber())
                    .put("blockHash", "0x" + mined.blockHash()).build()));
        entries.write();
      });
    }
  }

  /** Ends a payment that was not paid and never can be, and gives back all that it holds. */
  public void end(RelayedPayment payment, End end) {
    database.inTransaction(() -> {
      audit.lock(payment.tenantId());
      int changed = sql("""
          UPDATE payment SET state = 'expired', failure = :why, lease_until = '-infinity', updated_at = clock_timestamp()
          WHERE tenant_id = :tenant AND spend_id = :spend AND mode = 'relayed' AND state = ANY (string_to_array(:from, ' '))
          """).param("why", end.why).param("tenant", payment.tenantId()).param("spend", payment.spendId())
          .param("from", end.from).update();
      if (changed == 1) {
        var slot = audit.nextChanging(payment.tenantId(), true, false);
        reservations.giveBack(slot, payment.spendId(), Reservations.GiveBack.ALL);
        audit.write(slot, "payment.expired", payment.spendId(), ACTOR, entry(payment).put("why", end.why).build());
      }
    });
  }

  /** How the time of a payment is over that has not been paid. */
  public enum End {
    /** Before anything was signed. */
    UNSIGNED("authorized", "its time was over before it was signed"),
    /** The chain's final time is past its authorization's, and the token has not seen it. */
    OUTLIVED(SIGNING, "its authorization is over by the chain's final time, and was not used");

    /** Names of states. */
    private final String from;
    private final String why;

    End(String from, String why) {
      this.from = from;
      this.why = why;
    }
  }

  /** Gives leases back; the payments are due again after the delay, and show why. */
  public void release(Collection<RelayedPayment> payments, Duration delay, @Nullable String failure) {
    var _ = database.batch("""
        UPDATE payment SET due_at = now() + :delay * interval '1 millisecond', lease_until = '-infinity', failure = :failure
        WHERE tenant_id = :tenant AND spend_id = :spend AND mode = 'relayed' AND state = ANY (string_to_array(:from, ' '))
        """, List.copyOf(payments), payment -> new MapSqlParameterSource("tenant", payment.tenantId())
        .addValue("spend", payment.spendId()).addValue("delay", delay.toMillis())
        .addValue("failure", failure, Types.VARCHAR).addValue("from", UNSETTLED));
  }

  private interface Also {
    /** Adds what is to be done with {@code :tenant} and {@code :spends}, those of the payments that were moved. */
    void with(List<RelayedPayment> moved, Statements rest);
  }

  private List<RelayedPayment> move(List<RelayedPayment> payments, String kind, String from, String to,
      Function<RelayedPayment, Json.Obj> entry, UnaryOperator<List<RelayedPayment>> choice, Also also) {
    var all = new ArrayList<RelayedPayment>();
    for (var group : byTenant(payments).entrySet()) {
      all.addAll(database.inTransaction(() -> {
        var entries = audit.together(group.getKey());
        var chosen = choice.apply(group.getValue());
        Set<UUID> changed = new HashSet<>(sql("""
            UPDATE payment p SET state = :to, failure = NULL, updated_at = :at,
              due_at = CASE WHEN :to = 'signed' THEN now() ELSE p.due_at END,
              lease_until = CASE WHEN :to = 'signed' THEN '-infinity' ELSE p.lease_until END
            WHERE p.tenant_id = :tenant AND p.spend_id = ANY (:spends::uuid[]) AND p.mode = 'relayed' AND p.state = :from
              AND (:to <> 'prepared' OR coalesce(p.not_before <= now(), true) AND 'active' = (SELECT w.status FROM wallet w
                WHERE w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id AND 'active' = (SELECT a.status FROM agent a
                  WHERE a.tenant_id = w.tenant_id AND a.agent_id = w.agent_id)))
            RETURNING p.spend_id
            """).param("to", to).param("at", Directory.utc(entries.at())).param("tenant", group.getKey())
            .param("spends", spends(chosen))
            .param("from", from).query(UUID.class).list());
        var moved = chosen.stream().filter(payment -> changed.contains(payment.spendId())).toList();
        moved.forEach(payment -> entries.add(kind, payment.spendId(), ACTOR, entry.apply(payment)));
        var rest = database.statements().param("tenant", group.getKey()).param("spends", spends(moved));
        also.with(moved, rest);
        entries.write(rest);
        rest.send();
        return moved;
      }));
    }
    return all;
  }

  /** What every entry of such a payment says: which authorization. */
  static Json.Builder entry(RelayedPayment payment) {
    var entry = Json.object().put("spend", Id.SPEND.text(payment.spendId())).put("mode", "relayed");
    var terms = payment.terms();
    return terms == null
        ? entry
        : entry.put("authorizationNonce", "0x" + terms.nonce()).put("validBefore", terms.validBefore());
  }

  static Map<UUID, List<RelayedPayment>> byTenant(Collection<RelayedPayment> payments) {
    var groups = new java.util.TreeMap<UUID, List<RelayedPayment>>();
    payments.forEach(payment -> groups.computeIfAbsent(payment.tenantId(), _ -> new ArrayList<>()).add(payment));
    return groups;
  }

  private static Terms fixed(RelayedPayment payment) {
    return java.util.Objects.requireNonNull(payment.terms());
  }

  static UUID[] spends(Collection<RelayedPayment> payments) {
    return payments.stream().map(RelayedPayment::spendId).toArray(UUID[]::new);
  }

  private static RelayedPayment payment(ResultSet row) throws SQLException {
    var order = new Payment.Order(Address.of(row.getBytes("contract")), Address.of(row.getBytes("payee")),
        SpendStore.units(row, "amount"), Digest32.of(row.getBytes("leaf_hash")), expiry(row));
    byte @Nullable [] nonce = row.getBytes("terms_nonce");
    byte @Nullable [] signature = row.getBytes("signature");
    var terms = nonce == null
        ? null
        : new Terms(Digest32.of(nonce), row.getLong("valid_before"), row.getLong("from_block"),
            signature == null ? null : Bytes.of(signature));
    return new RelayedPayment(new Payment.Key(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "spend_id")),
        new Payment.Wallet(Directory.uuid(row, "wallet_id"), row.getString("chain"),
            Address.of(row.getBytes("address"))),
        order,
        new RelayedPayment.Token(row.getString("eip712_name"), row.getString("eip712_version")), row.getString("state"),
        terms,
        row.getString("hold"), Duration.ofMillis(row.getLong("age")), canceling(row));
  }

  private static @Nullable Canceling canceling(ResultSet row) throws SQLException {
    byte @Nullable [] entry = row.getBytes("cancellation");
    byte @Nullable [] signature = row.getBytes("cancel_signature");
    return entry == null
        ? null
        : new Canceling(Digest32.of(entry), signature == null ? null : Bytes.of(signature));
  }

  private static @Nullable Instant expiry(ResultSet row) throws SQLException {
    @Nullable
    OffsetDateTime time = row.getObject("request_expires_at", OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
