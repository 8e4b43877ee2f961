package io.bursar.api.simulation;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

import org.jspecify.annotations.Nullable;
import org.web3j.crypto.SignedRawTransaction;
import org.web3j.crypto.TransactionDecoder;
import org.web3j.crypto.transaction.type.Transaction1559;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;

/**
 * A chain with one token, by the rules of strict nodes: a replacement must offer a tenth more on both fees, what is below the base
 * fee waits in the pool, and what a reorganisation took out of a block goes back there unless it is lost.
 */
final class SimulatedChain {
  static final BigInteger GWEI = BigInteger.TEN.pow(9);

  private static final Duration BLOCK_TIME = Duration.ofSeconds(2);
  private static final int BLOCKS_AT_ONCE = 12;

  /**
   * A transaction that was given to a node, or one of somebody else.
   *
   * @param fee the most for a unit of gas; {@code tip} the part that goes to the block's producer
   */
  record Transaction(Digest32 hash, Address from, long nonce, BigInteger fee, BigInteger tip, Action action) {
    boolean isForeign() {
      return action instanceof Action.Foreign;
    }
  }

  /** What the token did in a transaction. */
  sealed interface Event {
    /**
     * It moved money.
     *
     * @param nonce of the authorization; null where the payer sent the transaction
     */
    record Paid(Address from, Address payee, BigInteger amount, @Nullable Digest32 nonce) implements Event {}

    /** It was told to take an authorization no more. */
    record TakenBack(Address from, Digest32 nonce) implements Event {}

    private boolean isOf(Address payer, Digest32 nonce) {
      return switch (this) {
        case Paid paid -> payer.equals(paid.from) && nonce.equals(paid.nonce);
        case TakenBack back -> payer.equals(back.from) && nonce.equals(back.nonce);
      };
    }
  }

  /** A transaction in a block. */
  record Mined(Transaction transaction, Block block, boolean succeeded, List<Event> events) {
    Mined {
      events = List.copyOf(events);
    }

    List<Event.Paid> paid() {
      return events.stream().filter(Event.Paid.class::isInstance).map(Event.Paid.class::cast).toList();
    }
  }

  /** A block; {@code time} in seconds since 1970. */
  record Block(long number, Digest32 hash, long time) {}

  /** What became of a transaction that was given to a node. */
  enum Submission {
    ACCEPTED,
    KNOWN,
    NONCE_TOO_LOW,
    UNDERPRICED
  }

  private final Chance chance;
  private final Action.Token token;
  private final List<Block> blocks = new ArrayList<>();
  private final Map<Block, List<Mined>> contents = new HashMap<>();
  private final Map<Digest32, Transaction> pool = new LinkedHashMap<>();
  private final Map<String, Transaction> decoded = new HashMap<>();
  private final Map<Address, BigInteger> balances = new HashMap<>();
  private final Set<Address> refusing = new HashSet<>();
  private final Map<Address, Transaction> foreign = new HashMap<>();
  private Duration nextBlockAt = BLOCK_TIME;
  private Duration now = Duration.ZERO;
  private BigInteger baseFee = GWEI;
  private boolean spike;
  private long made;

  SimulatedChain(Chance chance, Action.Token token) {
    this.chance = chance;
    this.token = token;
    mine();
  }

  synchronized void fund(Address account, BigInteger amount) {
    balances.merge(account, amount, BigInteger::add);
  }

  /** From now on the token refuses every transfer to the payee, though an estimate does not foresee it. */
  synchronized void refuse(Address payee) {
    refusing.add(payee);
  }

  synchronized boolean isRefused(Address payee) {
    return refusing.contains(payee);
  }

  /** What an account holds by the end of a block. */
  synchronized BigInteger balanceOf(Address account, long block) {
    var balance = balances.getOrDefault(account, BigInteger.ZERO);
    for (var mined : mined()) {
      for (var paid : mined.paid()) {
        if (mined.block.number <= block && paid.from.equals(account)) {
          balance = balance.subtract(paid.amount);
        }
      }
    }
    return balance;
  }

  /** The transaction by which the token has seen an authorization, whether it was used or taken back. */
  synchronized Optional<Mined> seen(Address payer, Digest32 nonce) {
    return mined().stream().filter(mined -> mined.events.stream().anyMatch(event -> event.isOf(payer, nonce)))
        .findFirst();
  }

  synchronized BigInteger baseFee() {
    return spike ? baseFee.multiply(BigInteger.valueOf(1000)) : baseFee;
  }

  synchronized void spike(boolean on) {
    spike = on;
  }

  synchronized Block head() {
    return blocks.getLast();
  }

  synchronized Optional<Block> block(long number) {
    return number < blocks.size() ? Optional.of(blocks.get((int) number)) : Optional.empty();
  }

  synchronized Optional<Mined> find(Digest32 hash) {
    return contents.values().stream().flatMap(List::stream).filter(mined -> mined.transaction.hash.equals(hash))
        .findFirst();
  }

  /** How many transactions of the account the chain holds. */
  synchronized long count(Address account) {
    return contents.values().stream().flatMap(List::stream).filter(mined -> mined.transaction.from.equals(account))
        .count();
  }

  /** Whether somebody else's transaction has the nonce of this one. */
  synchronized boolean isForeign(Transaction ours) {
    return contents.values().stream().flatMap(List::stream)
        .anyMatch(mined -> mined.transaction.isForeign() && mined.transaction.from.equals(ours.from)
            && mined.transaction.nonce == ours.nonce);
  }

  /** Every transaction that the chain holds now, in its order. */
  synchronized List<Mined> mined() {
    return blocks.stream().flatMap(block -> contents.getOrDefault(block, List.of()).stream()).toList();
  }

  /** What a raw transaction says. */
  synchronized Transaction decode(String raw) {
    return decoded.computeIfAbsent(raw, this::parse);
  }

  private Transaction parse(String raw) {
    try {
      var signed = (SignedRawTransaction) TransactionDecoder.decode(raw);
      var fees = (Transaction1559) signed.getTransaction();
      var hex = HexFormat.of();
      var data = signed.getData().startsWith("0x") ? signed.getData().substring(2) : signed.getData();
      var from = Address.parse(signed.getFrom());
      return new Transaction(Digest32.of(Address.keccak256(hex.parseHex(raw.substring(2)))), from,
          signed.getNonce().longValueExact(), fees.getMaxFeePerGas(), fees.getMaxPriorityFeePerGas(),
          Action.read(from, Address.parse(signed.getTo()), signed.getValue(), hex.parseHex(data), token));
    } catch (java.security.SignatureException e) {
      throw new IllegalArgumentException(raw, e);
    }
  }

  synchronized Submission submit(Transaction transaction) {
    if (pool.containsKey(transaction.hash) || find(transaction.hash).isPresent()) {
      return Submission.KNOWN;
    }
    if (transaction.nonce < count(transaction.from)) {
      return Submission.NONCE_TOO_LOW;
    }
    var rival = pool.values().stream()
        .filter(other -> other.from.equals(transaction.from) && other.nonce == transaction.nonce).findFirst();
    if (rival.isPresent()) {
      if (!tenthMore(rival.get().fee, transaction.fee) || !tenthMore(rival.get().tip, transaction.tip)) {
        return Submission.UNDERPRICED;
      }
      pool.remove(rival.get().hash);
    }
    pool.put(transaction.hash, transaction);
    return Submission.ACCEPTED;
  }

  private static boolean tenthMore(BigInteger old, BigInteger offered) {
    return offered.multiply(BigInteger.TEN).compareTo(old.multiply(BigInteger.valueOf(11))) >= 0;
  }

  /** Makes the blocks whose time has come. */
  synchronized void pass(Duration elapsed) {
    for (int i = 0; i < BLOCKS_AT_ONCE && nextBlockAt.compareTo(elapsed) <= 0; i++) {
      now = nextBlockAt;
      mine();
      nextBlockAt = nextBlockAt.plus(BLOCK_TIME);
    }
    now = elapsed;
    if (nextBlockAt.compareTo(elapsed) <= 0) {
      nextBlockAt = elapsed.plus(BLOCK_TIME);
    }
  }

  /** Appends a block with what is in the pool, can be mined, and was not overlooked. */
  synchronized void mine() {
    var block = new Block(blocks.size(), Digest32.sha256(ByteBuffer.allocate(8).putLong(++made).array()),
        SimulatedTime.BEGINNING.plus(now).getEpochSecond());
    var included = new ArrayList<Mined>();
    var counts = new HashMap<Address, Long>();
    foreign.values().forEach(other -> {
      included.add(new Mined(other, block, true, List.of()));
      counts.put(other.from, other.nonce + 1);
    });
    foreign.clear();
    var byNonce = new TreeMap<Long, List<Transaction>>();
    pool.values()
        .forEach(waiting -> byNonce.computeIfAbsent(waiting.nonce, nonce -> new ArrayList<>()).add(waiting));
    for (var waiting : byNonce.values().stream().flatMap(List::stream).toList()) {
      long next = counts.computeIfAbsent(waiting.from, this::count);
      if (waiting.nonce == next && waiting.fee.compareTo(baseFee()) >= 0 && (chance.isCalm() || chance.percent(80))) {
        included.add(execute(waiting, block, included));
        counts.put(waiting.from, next + 1);
      }
    }
    blocks.add(block);
    contents.put(block, included);
    pool.values().removeIf(waiting -> waiting.nonce < counts.getOrDefault(waiting.from, 0L));
  }

  private Mined execute(Transaction transaction, Block block, List<Mined> before) {
    return switch (transaction.action) {
      case Action.Transfer(var payee, var amount) -> refusing.contains(payee)
          ? new Mined(transaction, block, false, List.of())
          : new Mined(transaction, block, true, List.of(new Event.Paid(transaction.from, payee, amount, null)));
      case Action.Batch(var calls) -> {
        var events = new ArrayList<Event>();
        var seen = new ArrayList<>(before.stream().flatMap(mined -> mined.events.stream()).toList());
        for (var call : calls) {
          if (seen(call.payer(), call.nonce()).isEmpty()
              && seen.stream().noneMatch(event -> event.isOf(call.payer(), call.nonce()))) {
            execute(call, block, seen).ifPresent(event -> {
              events.add(event);
              seen.add(event);
            });
          }
        }
        yield new Mined(transaction, block, true, events);
      }
      case Action.Refill _,Action.Nothing(),Action.Foreign() -> new Mined(transaction, block, true, List.of());
    };
  }

  /** @param before what the block's earlier calls and transactions have done */
  private Optional<Event> execute(Action.Call call, Block block, List<Event> before) {
    return switch (call) {
      case Action.TakeBack(var payer, var nonce) -> Optional.of(new Event.TakenBack(payer, nonce));
      case Action.Use(var payer, var payee, var amount, long validBefore, var nonce) -> {
        var left = balanceOf(payer, block.number);
        for (var event : before) {
          left = event instanceof Event.Paid paid && paid.from.equals(payer) ? left.subtract(paid.amount) : left;
        }
        yield block.time >= validBefore || refusing.contains(payee) || left.compareTo(amount) < 0
            ? Optional.empty()
            : Optional.of(new Event.Paid(payer, payee, amount, nonce));
      }
    };
  }

  /** Replaces the newest blocks by one more than they were. */
  synchronized void reorganize(int depth) {
    for (int i = 0; i < depth && blocks.size() > 1; i++) {
      var block = blocks.removeLast();
      for (var mined : java.util.Objects.requireNonNull(contents.remove(block))) {
        if (mined.transaction.isForeign()) {
          foreign.put(mined.transaction.from, mined.transaction);
        } else if (!chance.strikes(Fault.DROPPED, 4000)) {
          pool.put(mined.transaction.hash, mined.transaction);
        }
      }
    }
    for (int i = 0; i <= depth; i++) {
      mine();
    }
  }

  /** Throws one transaction out of the pool. */
  synchronized void drop() {
    if (!pool.isEmpty()) {
      pool.remove(chance.one(List.copyOf(pool.keySet())));
      chance.happened(Fault.DROPPED);
    }
  }

  /** The next block holds somebody else's transaction from this account. */
  synchronized void foreign(Address account) {
    var hash = Digest32.sha256(ByteBuffer.allocate(8).putLong(-++made).array());
    foreign.put(account, new Transaction(hash, account, count(account), GWEI, GWEI, new Action.Foreign()));
    chance.happened(Fault.FOREIGN_TRANSACTION);
  }
}
