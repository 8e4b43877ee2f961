package io.bursar.api.simulation;

import java.math.BigInteger;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.api.simulation.SimulatedChain.Transaction;
import io.bursar.log.Checkpoint;
import io.bursar.log.CompactRange;
import io.bursar.log.SignedNote;
import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Database;
import io.bursar.store.Fixture;
import io.bursar.store.Recount;

/**
 * What must hold after every step, whatever went wrong; computed from the tables and the chain alone, by other means than the code
 * that is examined. The numbers are those by which the findings are reported.
 */
final class Invariants {
  private static final Set<String> FINAL = Set.of("confirmed", "reverted", "rejected", "expired", "canceled", "denied",
      "failed");
  private static final Set<String> VOID = Set.of("rejected", "expired", "canceled", "denied", "failed");

  private final World world;
  private final Connection connection;
  private final Recount recount;
  private final Map<UUID, Row> finals = new HashMap<>();
  private final Map<Address, Transaction> firstSent = new HashMap<>();
  private final Map<String, Address> payeeOfNonce = new HashMap<>();
  private final CompactRange range = new CompactRange();
  private List<Row> rows = List.of();
  private long recorded = -1;
  private long headSize;
  private long epoch = -1;

  /** A spend with its payment as the tables have it. */
  record Row(UUID spendId, String key, BigInteger amount, Address payee, @Nullable String state,
      @Nullable Instant chargedAt, @Nullable Instant deadline, @Nullable Digest32 hash) {
    boolean isFinal() {
      return state == null || FINAL.contains(state);
    }

    boolean isVoid() {
      return state == null || VOID.contains(state);
    }
  }

  Invariants(World world, Connection connection, Database observer) {
    this.world = world;
    this.connection = connection;
    this.recount = new Recount(observer, new CounterKeeping(observer), tenant -> List.of());
  }

  /** Looks at everything, and reads again what may have been written; what is wrong is noted with the world. */
  List<Row> check(List<Wish> wishes) {
    try {
      if (world.written()) {
        rows = rows();
        neverOverBudget(rows);
        whatIsFinalStaysAndIsTrue(rows);
        recordIsGaplessAndUnderItsHeads();
      }
      whatWasAcknowledgedIsThere(rows, wishes);
      return rows;
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private void find(String finding) {
    world.find(finding);
  }

  private List<Row> rows() throws SQLException {
    try (var statement = connection.prepareStatement("""
        SELECT s.spend_id, s.idempotency_key, s.amount, s.payee, p.state, p.charged_at, p.request_expires_at, p.transaction_hash
        FROM spend s LEFT JOIN payment p USING (tenant_id, spend_id) WHERE s.tenant_id = ?""")) {
      statement.setObject(1, world.tenant());
      var rows = new ArrayList<Row>();
      try (var row = statement.executeQuery()) {
        while (row.next()) {
          byte @Nullable [] hash = row.getBytes(8);
          rows.add(new Row(row.getObject(1, UUID.class), row.getString(2), row.getBigDecimal(3).toBigIntegerExact(),
              Address.of(row.getBytes(4)), row.getString(5), time(row, 6), time(row, 7),
              hash == null ? null : Digest32.of(hash)));
        }
      }
      return rows;
    }
  }

  private static @Nullable Instant time(ResultSet row, int column) throws SQLException {
    @Nullable
    OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }

  /** I1: in no window is more allowed and not given back than may be. */
  private void neverOverBudget(List<Row> rows) {
    var counted = rows.stream().filter(row -> !row.isVoid() && !"reverted".equals(row.state) && row.chargedAt != null)
        .sorted(Comparator.comparing(row -> java.util.Objects.requireNonNull(row.chargedAt))).toList();
    within(counted, Duration.ofMinutes(1), World.MINUTE_MAX);
    within(counted, Duration.ofDays(1), World.DAY_MAX);
  }

  private void within(List<Row> counted, Duration window, int max) {
    for (int last = 0; last < counted.size(); last++) {
      var end = java.util.Objects.requireNonNull(counted.get(last).chargedAt);
      var sum = BigInteger.ZERO;
      for (int i = last; i >= 0; i--) {
        if (java.util.Objects.requireNonNull(counted.get(i).chargedAt).isAfter(end.minus(window))) {
          sum = sum.add(counted.get(i).amount);
        }
      }
      if (sum.compareTo(Fixture.units(Integer.toString(max))) > 0) {
        find("I1: " + sum + " base units within " + window + ", more than " + max);
      }
    }
  }

  /** I4: one spend for a key, and the one that its client was told of. */
  private void whatWasAcknowledgedIsThere(List<Row> rows, List<Wish> wishes) {
    var byKey = new HashMap<String, UUID>();
    for (var row : rows) {
      if (byKey.put(row.key, row.spendId) != null) {
        find("I4: two spends for the key " + row.key);
      }
    }
    for (var wish : wishes) {
      if (wish.isAcknowledged() && !java.util.Objects.equals(byKey.get(wish.key()), wish.spendId())) {
        find("I4: the spend of " + wish.key() + " was acknowledged and is not there");
      }
    }
  }

  /**
   * I7: final is final; what is confirmed or reverted is so on the chain, deep enough, and what is given back was never sent, or
   * somebody else has its nonce.
   */
  private void whatIsFinalStaysAndIsTrue(List<Row> rows) {
    for (var row : rows) {
      var before = finals.get(row.spendId);
      if (before != null && !before.equals(row)) {
        find("I7: a spend that was " + before.state + " is " + row.state);
      }
      if (before != null || !row.isFinal()) {
        continue;
      }
      finals.put(row.spendId, row);
      var sent = firstSent.get(row.payee);
      if (row.isVoid() && sent != null && !("failed".equals(row.state) && world.chain().isForeign(sent))) {
        find("I7: a spend is " + row.state + " though it was signed and sent");
      }
      if ("confirmed".equals(row.state) || "reverted".equals(row.state)) {
        settledByTheChain(row);
      }
    }
  }

  private void settledByTheChain(Row row) {
    var mined = world.chain().find(java.util.Objects.requireNonNull(row.hash));
    long depth = mined.map(found -> world.chain().head().number() - found.block().number() + 1).orElse(0L);
    if (depth < world.confirmations()) {
      find("I7: a spend is " + row.state + " at the depth " + depth + ", before " + world.confirmations());
    } else if (mined.orElseThrow().succeeded() != "confirmed".equals(row.state)) {
      find("I7: a spend is " + row.state + ", and the chain says otherwise");
    }
  }

  /** I6: entries without a gap, and every signed head over exactly those that are there. */
  private void recordIsGaplessAndUnderItsHeads() throws SQLException {
    try (var statement = connection.prepareStatement("""
        SELECT l.audit_seq, l.epoch, (SELECT count(*) FROM audit_entry e WHERE e.tenant_id = l.tenant_id),
          (SELECT max(seq) FROM audit_entry e WHERE e.tenant_id = l.tenant_id), coalesce(s.checkpoint_size, 0), s.checkpoint
        FROM lane l LEFT JOIN log_state s USING (tenant_id) WHERE l.tenant_id = ?""")) {
      statement.setObject(1, world.tenant());
      try (var row = statement.executeQuery()) {
        row.next();
        if (row.getLong(1) != row.getLong(3) || row.getLong(1) != row.getLong(4)) {
          find("I6: the record has " + row.getLong(3) + " entries, and numbers were given up to " + row.getLong(1));
        }
        recorded = row.getLong(1);
        if (row.getLong(5) < headSize) {
          find("I6: the head went back from " + headSize + " to " + row.getLong(5));
        } else if (row.getLong(5) > headSize) {
          headSize = row.getLong(5);
          headIsOverTheEntries(row.getBytes(6));
        }
        if (row.getLong(2) != epoch) {
          epoch = row.getLong(2);
          budgetsEqualARecount();
        }
      }
    }
  }

  private void headIsOverTheEntries(byte[] note) throws SQLException {
    try (var statement = connection.prepareStatement(
        """
        SELECT sha256('\\x00'::bytea || payload) FROM audit_entry WHERE tenant_id = ? AND seq > ? AND seq <= ? ORDER BY seq""")) {
      statement.setObject(1, world.tenant());
      statement.setLong(2, range.size());
      statement.setLong(3, headSize);
      try (var row = statement.executeQuery()) {
        while (row.next()) {
          range.append(Digest32.of(row.getBytes(1)));
        }
      }
    }
    var head = Checkpoint.parse(SignedNote.parse(note).text());
    if (head.size() != headSize || range.size() != headSize || !head.root().equals(range.root())) {
      find("I6: the signed head of " + headSize + " entries is not over those that are there");
    }
  }

  /** I5, and each entry is what was hashed. */
  private void budgetsEqualARecount() {
    recount.differences(world.tenant()).forEach(difference -> find("I5: " + difference));
  }

  /** I2 and I3, for every transaction that a node is given: on the record before, and never another one for its spend or nonce. */
  void sent(Transaction transaction) {
    var payee = java.util.Objects.requireNonNull(transaction.payee());
    var first = firstSent.putIfAbsent(payee, transaction);
    if (first != null && (first.nonce() != transaction.nonce() || !first.from().equals(transaction.from())
        || !first.amount().equals(transaction.amount()))) {
      find("I2: a spend was sent at the nonce " + transaction.nonce() + " after it was sent at " + first.nonce());
    }
    var other = payeeOfNonce.putIfAbsent(transaction.from() + " " + transaction.nonce(), payee);
    if (other != null && !other.equals(payee)) {
      find("I3: another transfer was sent for the nonce " + transaction.nonce());
    }
    try (var statement = connection.prepareStatement("""
        SELECT count(*) FROM payment_attempt t JOIN payment p USING (tenant_id, spend_id) JOIN spend s USING (tenant_id, spend_id)
        JOIN log_state l USING (tenant_id)
        WHERE t.tenant_id = ? AND t.transaction_hash = ? AND t.raw_transaction IS NOT NULL AND p.nonce = ? AND s.amount = ?
          AND s.payee = ? AND p.audit_seq <= l.checkpoint_size""")) {
      statement.setObject(1, world.tenant());
      statement.setBytes(2, transaction.hash().bytes());
      statement.setLong(3, transaction.nonce());
      statement.setBigDecimal(4, new java.math.BigDecimal(transaction.amount()));
      statement.setBytes(5, payee.bytes());
      try (var row = statement.executeQuery()) {
        row.next();
        if (row.getLong(1) != 1) {
          find(
              "I3: a transaction was sent that was not recorded before, or whose authorization is under no signed head");
        }
      }
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /** When all is calm: everything is final, the chain has each confirmed transfer once and no other, the log is complete. */
  void checkEnd(List<Wish> wishes, Set<Address> leaked) {
    var seen = Set.copyOf(check(wishes));
    world.wrote();
    check(wishes);
    if (!seen.equals(Set.copyOf(rows))) {
      find("the simulation has overlooked that something was written");
    }
    budgetsEqualARecount();
    var paid = new HashSet<Address>();
    for (var mined : world.chain().transfers()) {
      if (!paid.add(java.util.Objects.requireNonNull(mined.transaction().payee()))) {
        find("I2: a spend was paid twice");
      }
    }
    for (var row : rows) {
      var sender = firstSent.get(row.payee);
      boolean confirmed = "confirmed".equals(row.state);
      if (confirmed != paid.remove(row.payee) && (sender == null || !leaked.contains(sender.from()) || confirmed)) {
        find("I2: a spend is " + row.state + ", and the chain says otherwise");
      }
      if (!row.isFinal() && leaked.isEmpty()) {
        find("I8: a spend is still " + row.state + ": " + whyItWaits(row.spendId));
      }
    }
    if (!paid.isEmpty()) {
      find("I3: " + paid.size() + " transfers belong to no spend");
    }
    if (headSize != range.size() || !everythingIsUnderAHead()) {
      find("I6: entries are left that no head is over");
    }
  }

  /** All that its row says of a payment that does not go on. */
  private String whyItWaits(UUID spendId) {
    try (var statement = connection.prepareStatement("""
        SELECT row_to_json(p)::text FROM payment p WHERE tenant_id = ? AND spend_id = ?""")) {
      statement.setObject(1, world.tenant());
      statement.setObject(2, spendId);
      try (var row = statement.executeQuery()) {
        return row.next() ? row.getString(1) : "it has no payment";
      }
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  boolean everythingIsUnderAHead() {
    return recorded == headSize;
  }
}
