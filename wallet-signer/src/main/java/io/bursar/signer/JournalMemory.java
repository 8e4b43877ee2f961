package io.bursar.signer;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.permit.AuthorizationCancellation;
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.Intent;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.Permit;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.TransactionIntent;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.signer.Journal.Outcome;

/**
 * What the journal says, as far as it is needed to judge the next request, and what is on its way into it. Not for use by several
 * threads at once.
 */
final class JournalMemory {
  private static final int FORGET_AT_LEAST = 10_000;
  private static final int MOST_FROZEN = 10_000;
  private static final Judgement AGREED = new Judgement.Agreed(Optional.empty());

  /** Reads an intent back from where it stands in the file. */
  interface Reader {
    Intent intent(long offset) throws IOException;
  }

  /** What is to become of a request. */
  sealed interface Judgement {
    /** It may be recorded; {@code counted} is what it takes from the ceilings, if anything. */
    record Agreed(Optional<Spending.Counted> counted) implements Judgement {}

    record Refused(Outcome why) implements Judgement {}
  }

  /**
   * A request that was agreed to and is on its way to the disk.
   *
   * @param at where its record begins in the batch
   */
  record Pending(Permit permit, Intent intent, Optional<Spending.Counted> counted, int at) {}

  private record SpendKey(UUID tenantId, UUID spendId) {}

  /** Permit id to its expiry in milliseconds, for permits that have not expired or did so lately. */
  private final FingerprintMap permits = new FingerprintMap();
  /** Nonce slot to the file offset of the record of what was first signed for it. */
  private final FingerprintMap slots = new FingerprintMap();
  /** Spend to the file offset of the record of what was first signed for it. */
  private final FingerprintMap spends = new FingerprintMap();
  /** Nonce slot or, where it goes by authorization, spend to the file offset of the record of its first cancellation. */
  private final FingerprintMap cancels = new FingerprintMap();
  private final Set<UUID> permitsInFlight = new HashSet<>();
  private final Map<NonceSlot, Intent> slotsInFlight = new HashMap<>();
  /** How many cancellations are on their way for a fingerprint; they come after a payment, so the first intent is not theirs. */
  private final Map<ByteBuffer, Integer> cancelsInFlight = new HashMap<>();
  private final Map<SpendKey, Intent> spendsInFlight = new HashMap<>();
  private final Map<FreezeScope, String> frozen = new LinkedHashMap<>();
  private final Set<FreezeScope> frozenForNow = new HashSet<>();
  private Spending spending;
  private long forgottenUntil;
  private int forgetAbove = FORGET_AT_LEAST;
  private long records;

  JournalMemory(Ceilings ceilings) {
    spending = new Spending(ceilings);
  }

  /** How many records there are. */
  long records() {
    return records;
  }

  Optional<Asset> asset(long chainId, Address contract) {
    return spending.asset(chainId, contract);
  }

  boolean hasCeilings() {
    return spending.counts();
  }

  /** What is frozen, and why. */
  Map<FreezeScope, String> frozen() {
    return Map.copyOf(frozen);
  }

  /** The freeze that holds a key, if any does. */
  Optional<FreezeScope> freezeOf(UUID tenantId, UUID keyId) {
    return frozen.keySet().stream().filter(scope -> scope.holds(tenantId, keyId)).findFirst();
  }

  Judgement judge(Instant now, Permit permit, Intent intent, SpendApprovals.Result.Counted approved, Reader reader)
      throws IOException {
    var refused = refusal(permit, intent);
    if (refused != null) {
      return new Judgement.Refused(refused);
    }
    if (intent instanceof TransactionIntent transaction) {
      var slot = transaction.slot();
      var first = first(slots, fingerprint(slot), slotsInFlight.get(slot), reader);
      if (first != null) {
        return bySlot(first, transaction, isCanceled(fingerprint(slot)));
      }
    }
    return switch (intent) {
      case PaymentIntent payment -> {
        var first = first(spends, fingerprint(key(payment)), spendsInFlight.get(key(payment)), reader);
        yield first == null ? byCeilings(now, payment, approved) : bySpend(first, payment);
      }
      case CancelAuthorizationIntent cancel -> {
        var print = fingerprint(new SpendKey(cancel.tenantId(), cancel.spendId()));
        var first = first(spends, print, spendsInFlight.get(new SpendKey(cancel.tenantId(), cancel.spendId())), reader);
        yield cancels(first, cancel) ? AGREED : new Judgement.Refused(new Outcome.NothingToCancel());
      }
      case RelayIntent _ -> AGREED; // of authorizations that were counted when they were signed
      case CancelIntent _ -> new Judgement.Refused(new Outcome.NothingToCancel());
    };
  }

  /**
   * INVARIANT: of all that is ever signed for one nonce, any two are the same payload and differ in their price alone; but after a
   * spend's transfer may come its cancellation, which moves nothing, and from then on nothing else does.
   */
  private static Judgement bySlot(Intent first, TransactionIntent next, boolean canceled) {
    if (canceled && !(next instanceof CancelIntent)) {
      return new Judgement.Refused(new Outcome.Canceled());
    }
    boolean same = switch (next) {
      case TransferIntent transfer -> first instanceof TransferIntent other && sameTransfer(other, transfer);
      case RelayIntent batch -> first instanceof RelayIntent other && other.isSameBatch(batch);
      case CancelIntent cancel -> first instanceof TransferIntent transfer && cancels(transfer, cancel);
    };
    if (!same || !(first instanceof TransactionIntent before)) {
      return new Judgement.Refused(
          next instanceof CancelIntent ? new Outcome.NothingToCancel() : new Outcome.OtherPayload());
    }
    return feesInBounds(before.gas(), next.gas())
        ? AGREED
        : new Judgement.Refused(new Outcome.FeeOutOfBounds(before.gas()));
  }

  /**
   * INVARIANT: a spend is signed for one nonce, or by one authorization, and never otherwise, so at most one of all its signatures
   * can take effect. After an authorization may come its cancellation, and from then on it is not signed again.
   */
  private Judgement bySpend(Intent first, PaymentIntent next) {
    return switch (next) {
      case AuthorizationIntent authorization when authorization.equals(first) -> isCanceled(fingerprint(key(next)))
          ? new Judgement.Refused(new Outcome.Canceled())
          : AGREED;
      case AuthorizationIntent _,TransferIntent _ -> new Judgement.Refused(new Outcome.OtherPayment());
    };
  }

  private Judgement byCeilings(Instant now, PaymentIntent payment, SpendApprovals.Result.Counted approved) {
    if (!spending.counts()) {
      return AGREED;
    }
    return switch (spending.judge(payment, approved, now)) {
      case Spending.Verdict.Within(var counted) -> new Judgement.Agreed(Optional.of(counted));
      case Spending.Verdict.Over(var why) -> new Judgement.Refused(new Outcome.OverCeiling(why));
      case Spending.Verdict.Unapproved(var missing) -> new Judgement.Refused(new Outcome.Unapproved(missing));
    };
  }

  private @Nullable Outcome refusal(Permit permit, Intent intent) {
    for (var freeze : frozen.entrySet()) {
      if (freeze.getKey().holds(intent.tenantId(), intent.keyId())) {
        return new Outcome.Frozen(freeze.getKey(), freeze.getValue());
      }
    }
    var id = permit.permitId();
    if (permitsInFlight.contains(id)
        || permits.get(id.getMostSignificantBits(), id.getLeastSignificantBits()) != 0) {
      return new Outcome.PermitUsed();
    }
    return permit.expiresAt().toEpochMilli() <= forgottenUntil ? new Outcome.PermitForgotten() : null;
  }

  private boolean isCanceled(ByteBuffer print) {
    return cancelsInFlight.containsKey(print) || cancels.get(print.getLong(0), print.getLong(8)) != 0;
  }

  private static boolean cancels(@Nullable Intent first, CancelAuthorizationIntent next) {
    return first instanceof AuthorizationIntent signed && signed.keyId().equals(next.keyId())
        && AuthorizationCancellation.of(signed.authorization()).equals(next.cancellation());
  }

  /** What a cancellation cancels; empty if it is none. */
  private static Optional<ByteBuffer> canceled(Intent intent) {
    return switch (intent) {
      case CancelIntent cancel -> Optional.of(fingerprint(cancel.slot()));
      case CancelAuthorizationIntent cancel ->
        Optional.of(fingerprint(new SpendKey(cancel.tenantId(), cancel.spendId())));
      case PaymentIntent _,RelayIntent _ -> Optional.empty();
    };
  }

  private static boolean cancels(TransferIntent first, CancelIntent next) {
    return first.slot().equals(next.slot()) && first.tenantId().equals(next.tenantId())
        && first.spendId().equals(next.spendId()) && first.from().equals(next.from());
  }

  private static boolean sameTransfer(TransferIntent first, TransferIntent next) {
    return first.slot().equals(next.slot()) && key(first).equals(key(next)) && first.from().equals(next.from())
        && first.transfer().equals(next.transfer());
  }

  /**
   * A replacement must not offer less for each unit of gas than the first did, nor more than ten times as much, nor cost
   * more than ten times as much in all. So a caller can outbid a rising base fee, but not burn the account's coins.
   */
  private static boolean feesInBounds(TransferIntent.Gas first, TransferIntent.Gas next) {
    return next.maxFeePerGas().compareTo(first.maxFeePerGas()) >= 0
        && next.maxFeePerGas().compareTo(times(first.maxFeePerGas())) <= 0
        && next.maxCost().compareTo(times(first.maxCost())) <= 0;
  }

  private static BigInteger times(BigInteger fee) {
    return fee.multiply(Journal.MOST_FEE_FACTOR);
  }

  private static @Nullable Intent first(FingerprintMap map, ByteBuffer print, @Nullable Intent inFlight,
      Reader reader) throws IOException {
    if (inFlight != null) {
      return inFlight;
    }
    long offset = map.get(print.getLong(0), print.getLong(8));
    return offset == 0 ? null : reader.intent(offset);
  }

  /** INVARIANT: from here until it is settled or void, whoever asks for this permit, nonce, spend or ceiling meets it. */
  void take(Pending pending) {
    permitsInFlight.add(pending.permit.permitId());
    var canceled = canceled(pending.intent);
    canceled.ifPresent(print -> cancelsInFlight.merge(print, 1, Integer::sum));
    if (canceled.isEmpty() && pending.intent instanceof TransactionIntent transaction) {
      slotsInFlight.putIfAbsent(transaction.slot(), transaction);
    }
    if (pending.intent instanceof PaymentIntent payment) {
      spendsInFlight.putIfAbsent(key(payment), payment);
    }
    pending.counted.ifPresent(spending::add);
  }

  /** What was agreed to is durable. */
  void settle(List<Pending> batch, long offset, Instant now) {
    for (var pending : batch) {
      boolean _ = remember(pending.permit, pending.intent, offset + pending.at);
      permitsInFlight.remove(pending.permit.permitId());
    }
    // A later batch may wait on a slot too, but the durable entry answers for it from now on.
    batch.forEach(pending -> {
      var canceled = canceled(pending.intent);
      canceled.ifPresent(
          print -> cancelsInFlight.computeIfPresent(print, (_, count) -> count > 1 ? count - 1 : null));
      if (canceled.isEmpty() && pending.intent instanceof TransactionIntent transaction) {
        slotsInFlight.remove(transaction.slot());
      }
      if (pending.intent instanceof PaymentIntent payment) {
        spendsInFlight.remove(key(payment));
      }
    });
    forget(now.toEpochMilli());
  }

  /** Nothing of what is on its way has become durable. */
  void release(List<Pending> pending) {
    pending.forEach(each -> each.counted.ifPresent(spending::giveBack));
    permitsInFlight.clear();
    slotsInFlight.clear();
    cancelsInFlight.clear();
    spendsInFlight.clear();
  }

  /** Whether a freeze is new, or is not known to be durable. */
  boolean freeze(FreezeScope scope, String why) {
    // A caller who freezes ever more cannot fill the memory: at some point all is frozen.
    var held = frozen.size() < MOST_FROZEN ? scope : new FreezeScope.All();
    return frozen.putIfAbsent(held, why) == null || frozenForNow.remove(held);
  }

  /** The freeze holds, but a restart would forget it. */
  void freezeForNow(FreezeScope scope) {
    frozenForNow.add(scope);
  }

  void lift(FreezeScope scope) {
    frozen.remove(scope);
    frozenForNow.remove(scope);
  }

  /** A record that is durable was read. */
  void load(JournalRecord record, long at) {
    switch (record) {
      case JournalRecord.Sign(var time, _, var permit, var intent) -> {
        if (remember(permit, intent, at) && intent instanceof PaymentIntent payment) {
          spending.addPast(payment, time);
        }
      }
      case JournalRecord.Freeze(_, var scope, var why) -> {
        boolean _ = freeze(scope, why);
      }
      case JournalRecord.Lift(_, var scope) -> lift(scope);
    }
  }

  /** Counts against other ceilings from now on; what was signed before is then given by {@link #count}. */
  void ceilings(Ceilings next) {
    spending = new Spending(next);
  }

  /** Counts a durable record that was read again, if it is the first of its spend. */
  void count(JournalRecord record, long at) {
    if (record instanceof JournalRecord.Sign(var time, _, _, var intent) && intent instanceof PaymentIntent payment) {
      var print = fingerprint(key(payment));
      if (spends.get(print.getLong(0), print.getLong(8)) == at) {
        spending.addPast(payment, time);
      }
    }
  }

  /** Whether it is the first of its spend. */
  private boolean remember(Permit permit, Intent intent, long offset) {
    var id = permit.permitId();
    permits.putIfAbsent(id.getMostSignificantBits(), id.getLeastSignificantBits(), permit.expiresAt().toEpochMilli());
    var canceled = canceled(intent);
    canceled.ifPresent(print -> cancels.putIfAbsent(print.getLong(0), print.getLong(8), offset));
    if (canceled.isEmpty() && intent instanceof TransactionIntent transaction) {
      var slot = fingerprint(transaction.slot());
      slots.putIfAbsent(slot.getLong(0), slot.getLong(8), offset);
    }
    records++;
    if (!(intent instanceof PaymentIntent payment)) {
      return false;
    }
    var spend = fingerprint(key(payment));
    boolean first = spends.get(spend.getLong(0), spend.getLong(8)) == 0;
    spends.putIfAbsent(spend.getLong(0), spend.getLong(8), offset);
    return first;
  }

  /** Forgets permits that expired before now, once they are many. The line they fell behind is kept. */
  void forget(long now) {
    if (permits.size() < forgetAbove) {
      return;
    }
    permits.removeIf(expiry -> {
      boolean expired = expiry <= now;
      if (expired) {
        forgottenUntil = Math.max(forgottenUntil, expiry);
      }
      return expired;
    });
    forgetAbove = Math.max(FORGET_AT_LEAST, 2 * permits.size());
  }

  private static SpendKey key(PaymentIntent intent) {
    return new SpendKey(intent.tenantId(), intent.spendId());
  }

  private static ByteBuffer fingerprint(NonceSlot slot) {
    return fingerprint(ByteBuffer.allocate(8 + 16 + 8).putLong(slot.chainId())
        .putLong(slot.keyId().getMostSignificantBits()).putLong(slot.keyId().getLeastSignificantBits())
        .putLong(slot.nonce()).array());
  }

  private static ByteBuffer fingerprint(SpendKey spend) {
    return fingerprint(ByteBuffer.allocate(32).putLong(spend.tenantId.getMostSignificantBits())
        .putLong(spend.tenantId.getLeastSignificantBits()).putLong(spend.spendId.getMostSignificantBits())
        .putLong(spend.spendId.getLeastSignificantBits()).array());
  }

  private static ByteBuffer fingerprint(byte[] bytes) {
    return ByteBuffer.wrap(Digest32.sha256(bytes).bytes());
  }
}
