package io.bursar.api.simulation;

import java.math.BigDecimal;
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
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;

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

  /** How long it takes at most until a time that has come on the chain is that of a final block, and is looked at. */
  private static final Duration UNTIL_FINAL = Duration.ofMinutes(5);

  private final World world;
  private final Connection connection;
  private final Recount recount;
  private final Map<UUID, Row> finals = new HashMap<>();
  private final Map<Address, Transaction> firstSent = new HashMap<>();
  private final Map<Address, Digest32> authorizationOf = new HashMap<>();
  private final Map<String, Action> actionOfNonce = new HashMap<>();
  private final CompactRange range = new CompactRange();
  private List<Row> rows = List.of();
  private long recorded = -1;
  private long headSize;
  private long epoch = -1;

  /**
   * A spend with its payment as the tables have it.
   *
   * @param signed what a wallet has signed for it that a relayer may take to the chain
   */
  record Row(UUID spendId, String key, BigInteger amount, Address payee, @Nullable String state,
      @Nullable Instant chargedAt, @Nullable Instant deadline, @Nullable Digest32 hash, Action.@Nullable Use signed) {
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
        SELECT s.spend_id, s.idempotency_key, s.amount, s.payee, p.state, p.charged_at, p.request_expires_at, p.transaction_hash,
          w.address, z.nonce, z.valid_before, z.signature IS NOT NULL
        FROM spend s JOIN wallet w USING (tenant_id, wallet_id) LEFT JOIN payment p USING (tenant_id, spend_id)
        LEFT JOIN payment_authorization z USING (tenant_id, spend_id) WHERE s.tenant_id = ?""")) {
      statement.setObject(1, world.tenant());
      var rows = new ArrayList<Row>();
      try (var row = statement.executeQuery()) {
        while (row.next()) {
          byte @Nullable [] hash = row.getBytes(8);
          var amount = row.getBigDecimal(3).toBigIntegerExact();
          var payee = Address.of(row.getBytes(4));
          rows.add(
              new Row(row.getObject(1, UUID.class), row.getString(2), amount, payee, row.getString(5), time(row, 6),
                  time(row, 7), hash == null ? null : Digest32.of(hash),
                  row.getBoolean(12)
                      ? new Action.Use(Address.of(row.getBytes(9)), payee, amount, row.getLong(11),
                          Digest32.of(row.getBytes(10)))
                      : null));
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
   * its nonce has gone to what moves nothing, or to somebody else.
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
      boolean annulled = "canceled".equals(row.state) && row.hash != null && row.signed == null;
      if (annulled) {
        annulledByTheChain(row);
      } else if (row.isVoid() && sent != null && !("failed".equals(row.state) && world.chain().isForeign(sent))) {
        find("I7: a spend is " + row.state + " though it was signed and sent");
      }
      if (row.isVoid() && row.signed != null && !isOver(row.signed)) {
        find("I7: a spend is " + row.state + " though its authorization can still be used");
      }
      if ("confirmed".equals(row.state) || "reverted".equals(row.state)) {
        settledByTheChain(row);
      }
    }
  }

  /** Whether the token has been told to take an authorization no more, or its time was over unused, by a block that is final. */
  private boolean isOver(Action.Use signed) {
    long last = world.chain().head().number() - world.confirmations() + 1;
    var seen = world.chain().seen(signed.payer(), signed.nonce());
    return seen.isPresent()
        ? seen.get().block().number() <= last && seen.get().paid().stream().noneMatch(isPaymentOf(signed.payee()))
        : world.chain().block(last).orElseThrow().time() >= signed.validBefore();
  }

  private static Predicate<SimulatedChain.Event.Paid> isPaymentOf(Address payee) {
    return paid -> paid.payee().equals(payee);
  }

  private void settledByTheChain(Row row) {
    var mined = deepEnough(row);
    if (mined.isPresent()
        && mined.get().paid().stream().anyMatch(isPaymentOf(row.payee)) != "confirmed".equals(row.state)) {
      find("I7: a spend is " + row.state + ", and the chain says otherwise");
    }
  }

  /** What moves nothing has taken the nonce of the transfer, or of one that was never sent. */
  private void annulledByTheChain(Row row) {
    var mined = deepEnough(row);
    var sent = firstSent.get(row.payee);
    if (mined.isPresent()) {
      var instead = mined.get().transaction();
      boolean inItsPlace = sent == null
          || (sent.nonce() == instead.nonce() && sent.from().equals(instead.from()));
      if (!inItsPlace || !(instead.action() instanceof Action.Nothing)) {
        find("I7: a spend is canceled, and its nonce was not taken by what moves nothing");
      }
    }
  }

  /** The transaction that is said to have settled a spend; that it is not under enough blocks is a finding. */
  private Optional<SimulatedChain.Mined> deepEnough(Row row) {
    var mined = world.chain().find(java.util.Objects.requireNonNull(row.hash));
    long depth = mined.map(found -> world.chain().head().number() - found.block().number() + 1).orElse(0L);
    if (depth >= world.confirmations()) {
      return mined;
    }
    find("I7: a spend is " + row.state + " at the depth " + depth + ", before " + world.confirmations());
    return Optional.empty();
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

  /** I2 and I3, for every transaction that a node is given: on the record before, and never another one for its nonce that moves anything. */
  void sent(Transaction transaction) {
    try {
      switch (transaction.action()) {
        case Action.Transfer(var payee, var amount) -> {
          neverAnother(transaction);
          sent(transaction, payee, amount);
        }
        case Action.Batch(var calls) -> {
          neverAnother(transaction);
          sent(transaction, calls);
        }
        case Action.Refill(var to, var coins) -> {
          neverAnother(transaction);
          sentToRefill(transaction, to, coins);
        }
        case Action.Nothing() -> sentToCancel(transaction);
        case Action.Foreign() -> throw new IllegalArgumentException("a node is not given what is not ours");
      }
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private void neverAnother(Transaction transaction) {
    var other = actionOfNonce.putIfAbsent(transaction.from() + " " + transaction.nonce(), transaction.action());
    if (other != null && !other.equals(transaction.action())) {
      find("I3: something else was sent for the nonce " + transaction.nonce());
    }
  }

  /** Of a wallet's own: never another nonce for its spend. */
  private void sent(Transaction transaction, Address payee, BigInteger amount) throws SQLException {
    var first = firstSent.putIfAbsent(payee, transaction);
    if (first != null && (first.nonce() != transaction.nonce() || !first.from().equals(transaction.from()))) {
      find("I2: a spend was sent at the nonce " + transaction.nonce() + " after it was sent at " + first.nonce());
    }
    if (count("""
        SELECT count(*) FROM payment_attempt t JOIN payment p USING (tenant_id, spend_id) JOIN spend s USING (tenant_id, spend_id)
        JOIN log_state l USING (tenant_id)
        WHERE t.tenant_id = ? AND t.transaction_hash = ? AND t.raw_transaction IS NOT NULL AND p.nonce = ? AND s.amount = ?
          AND s.payee = ? AND p.audit_seq <= l.checkpoint_size""", world.tenant(), transaction.hash().bytes(),
        transaction.nonce(), new BigDecimal(amount), payee.bytes()) != 1) {
      find("I3: a transaction was sent that was not recorded before, or whose authorization is under no signed head");
    }
  }

  /** At the nonce of a payment whose cancellation was asked for on the record. */
  private void sentToCancel(Transaction transaction) throws SQLException {
    if (count("""
        SELECT count(*) FROM payment_attempt t JOIN payment p USING (tenant_id, spend_id) JOIN wallet w USING (tenant_id, wallet_id)
        JOIN log_state l USING (tenant_id)
        WHERE t.tenant_id = ? AND t.transaction_hash = ? AND t.raw_transaction IS NOT NULL AND t.cancels AND p.nonce = ?
          AND w.address = ? AND p.cancel_seq <= l.checkpoint_size""", world.tenant(), transaction.hash().bytes(),
        transaction.nonce(), transaction.from().bytes()) != 1) {
      find("I3: a nonce was canceled that nobody wanted canceled, or whose wish is under no signed head");
    }
  }

  /** Of a relayer: never another authorization for a spend, and none that was not recorded as it is. */
  private void sent(Transaction transaction, List<Action.Call> calls) throws SQLException {
    if (count("""
        SELECT count(*) FROM relay_attempt t JOIN relay_batch b USING (batch_id) JOIN relayer r USING (chain, key_id)
        WHERE t.transaction_hash = ? AND t.raw_transaction IS NOT NULL AND b.nonce = ? AND r.address = ?""",
        transaction.hash().bytes(), transaction.nonce(), transaction.from().bytes()) != 1) {
      find("I3: a relayer's transaction was sent that was not recorded before");
    }
    for (var call : calls) {
      boolean known = switch (call) {
        case Action.Use(var payer, var payee, var amount, long validBefore, var nonce) -> {
          var first = authorizationOf.putIfAbsent(payee, nonce);
          if (first != null && !first.equals(nonce)) {
            find("I2: a spend has two authorizations");
          }
          yield count("""
              SELECT count(*) FROM payment_authorization z JOIN payment p USING (tenant_id, spend_id)
              JOIN spend s USING (tenant_id, spend_id) JOIN wallet w ON w.tenant_id = s.tenant_id AND w.wallet_id = s.wallet_id
              JOIN log_state l ON l.tenant_id = s.tenant_id
              WHERE z.tenant_id = ? AND z.nonce = ? AND z.signature IS NOT NULL AND z.valid_before = ? AND s.amount = ?
                AND s.payee = ? AND w.address = ? AND p.audit_seq <= l.checkpoint_size""", world.tenant(),
              nonce.bytes(),
              validBefore, new BigDecimal(amount), payee.bytes(), payer.bytes()) == 1;
        }
        case Action.TakeBack(var payer, var nonce) -> count("""
            SELECT count(*) FROM payment_authorization z JOIN payment p USING (tenant_id, spend_id)
            JOIN wallet w ON w.tenant_id = p.tenant_id AND w.wallet_id = p.wallet_id
            JOIN log_state l ON l.tenant_id = p.tenant_id
            WHERE z.tenant_id = ? AND z.nonce = ? AND z.cancel_signature IS NOT NULL AND w.address = ?
              AND p.cancel_seq <= l.checkpoint_size""", world.tenant(), nonce.bytes(), payer.bytes()) == 1;
      };
      if (!known) {
        find("I3: a batch has what was not recorded before, or whose authorization is under no signed head: " + call);
      }
    }
  }

  private void sentToRefill(Transaction transaction, Address to, BigInteger coins) throws SQLException {
    if (count("""
        SELECT count(*) FROM relay_attempt t JOIN relay_batch b USING (batch_id) JOIN relayer r USING (chain, key_id)
        JOIN relayer other ON other.chain = b.chain AND other.key_id = b.refill_key
        JOIN audit_entry e ON e.tenant_id = ? AND e.kind = 'relayer.refilled' AND e.subject = b.batch_id
        WHERE t.transaction_hash = ? AND t.raw_transaction IS NOT NULL AND b.nonce = ? AND r.address = ? AND other.address = ?
          AND b.refill_wei = ?""", world.tenant(), transaction.hash().bytes(), transaction.nonce(),
        transaction.from().bytes(), to.bytes(), new BigDecimal(coins)) != 1) {
      find("I3: coins were sent that no refill on the record sends");
    }
  }

  /** Whether no refill is on its way. */
  boolean refillsAreSettled() {
    return refills("b.state <> 'settled'") == 0;
  }

  private long refills(String which) {
    try {
      long found = 0;
      for (var relayer : world.relayers()) {
        found += count(
            "SELECT count(*) FROM relay_batch b WHERE b.key_id = ? AND b.refill_wei IS NOT NULL AND " + which,
            relayer.keyId());
      }
      return found;
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private long count(String sql, Object... params) throws SQLException {
    try (var statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < params.length; i++) {
        statement.setObject(i + 1, params[i]);
      }
      try (var row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
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
    for (var mined : world.chain().mined()) {
      for (var transfer : mined.paid()) {
        if (!paid.add(transfer.payee())) {
          find("I2: a spend was paid twice");
        }
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
    if (refills("true") != world.chain().mined().stream()
        .filter(mined -> mined.transaction().action() instanceof Action.Refill).count()) {
      find("I2: the chain does not hold each refill once");
    }
    if (!paid.isEmpty()) {
      find("I3: " + paid.size() + " transfers belong to no spend");
    }
    if (headSize != range.size() || !everythingIsUnderAHead()) {
      find("I6: entries are left that no head is over");
    }
  }

  /** I8, when all has been calm for long: nothing waits for anything but the end of an authorization that the token refuses. */
  void checkNothingWaits() {
    for (var row : rows) {
      boolean refused = row.signed != null && world.chain().isRefused(row.payee)
          && world.chain().head().time() < row.signed.validBefore() + UNTIL_FINAL.toSeconds();
      if (!row.isFinal() && !refused) {
        find("I8: a spend has been " + row.state + " for long: " + whyItWaits(row.spendId));
      }
    }
  }

  /** All that its row says of a payment that does not go on. */
  private String whyItWaits(UUID spendId) {
    try (var statement = connection.prepareStatement("""
        SELECT row_to_json(p)::text || coalesce((SELECT string_agg(E'\\n    ' || row_to_json(b)::text || row_to_json(t)::text, '' ORDER BY b.nonce)
          FROM relay_batch b JOIN relay_attempt t USING (batch_id) JOIN relay_batch own ON own.chain = b.chain AND own.key_id = b.key_id
          JOIN payment_authorization z ON z.batch_id = own.batch_id
          WHERE z.tenant_id = p.tenant_id AND z.spend_id = p.spend_id AND b.state <> 'settled'), '')
        FROM payment p WHERE tenant_id = ? AND spend_id = ?""")) {
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
