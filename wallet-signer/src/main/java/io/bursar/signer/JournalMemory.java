package io.bursar.signer;

import static io.bursar.signer.FirstSigned.canceled;
import static io.bursar.signer.FirstSigned.fingerprint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Collections;
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
import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.Intent;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.Permit;
import io.bursar.permit.RefillIntent;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.TransactionIntent;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.signer.FirstSigned.Reader;
import io.bursar.signer.FirstSigned.SpendKey;

/**
 * What the journal says, as far as it is needed to judge the next request, and what is on its way into it. Not for use by several
 * threads at once.
 */
final class JournalMemory {
  /**
   * Those of more than an hour at 25 signatures a second. What is forgotten can be refused by its time alone, and where a clock was ahead by
   * an hour, that is refused for the next hour; so whoever has no more than that to sign is not stopped by it.
   */
  static final int FORGET_AT_LEAST = 100_000;
  private static final int MOST_FROZEN = 10_000;
  private static final Judgement AGREED = new Judgement.Agreed(Optional.empty());

  /** What is to become of a request. */
  sealed interface Judgement {
    /** It may be recorded; {@code counted} is what it takes from the ceilings, if anything. */
    record Agreed(Optional<Spending.Counted> counted) implements Judgement {}

    record Refused(JournalOutcome why) implements Judgement {}
  }

  /**
   * A request that was agreed to and is on its way to the disk.
   *
   * @param at where its record begins in the batch
   */
  record Pending(Permit permit, Intent intent, Optional<Spending.Counted> counted, int at) {}

  /** Permit id to its expiry in milliseconds, for permits that have not expired or did so lately. */
  private final FingerprintMap permits = new FingerprintMap();
  private final FirstSigned firsts = new FirstSigned();
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

  /** What is frozen, and why, in the order in which it was. */
  Map<FreezeScope, String> frozen() {
    return Collections.unmodifiableMap(new LinkedHashMap<>(frozen));
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
      var first = first(firsts.of(slot), slotsInFlight.get(slot), reader);
      if (first != null) {
        return Replacement.judge(first, transaction, isCanceled(fingerprint(slot)));
      }
    }
    return switch (intent) {
      case PaymentIntent payment -> {
        var spend = SpendKey.of(payment);
        var first = first(firsts.of(spend), spendsInFlight.get(spend), reader);
        yield first == null ? byCeilings(now, payment, approved) : bySpend(first, payment);
      }
      case CancelAuthorizationIntent cancel -> {
        var spend = SpendKey.of(cancel);
        var first = first(firsts.of(spend), spendsInFlight.get(spend), reader);
        yield Replacement.cancels(first, cancel) ? AGREED : new Judgement.Refused(new JournalOutcome.NothingToCancel());
      }
      case RelayIntent _ -> AGREED; // of authorizations that were counted when they were signed
      case RefillIntent _ -> AGREED; // to another relayer of this signer, which is no spend
      case CancelIntent _ -> new Judgement.Refused(new JournalOutcome.NothingToCancel());
    };
  }

  /**
   * INVARIANT: a spend is signed for one nonce, or by one authorization, and never otherwise, so at most one of all its signatures
   * can take effect. After an authorization may come its cancellation, and from then on it is not signed again.
   */
  private Judgement bySpend(Intent first, PaymentIntent next) {
    return switch (next) {
      case AuthorizationIntent authorization when authorization.equals(first) ->
        isCanceled(fingerprint(SpendKey.of(next)))
            ? new Judgement.Refused(new JournalOutcome.Canceled())
            : AGREED;
      case AuthorizationIntent _,TransferIntent _ -> new Judgement.Refused(new JournalOutcome.OtherPayment());
    };
  }

  private Judgement byCeilings(Instant now, PaymentIntent payment, SpendApprovals.Result.Counted approved) {
    if (!spending.counts()) {
      return AGREED;
    }
    return switch (spending.judge(payment, approved, now)) {
      case Spending.Verdict.Within(var counted) -> new Judgement.Agreed(Optional.of(counted));
      case Spending.Verdict.Over(var why) -> new Judgement.Refused(new JournalOutcome.OverCeiling(why));
      case Spending.Verdict.Unapproved(var missing) -> new Judgement.Refused(new JournalOutcome.Unapproved(missing));
    };
  }

  private @Nullable JournalOutcome refusal(Permit permit, Intent intent) {
    for (var freeze : frozen.entrySet()) {
      if (freeze.getKey().holds(intent.tenantId(), intent.keyId())) {
        return new JournalOutcome.Frozen(freeze.getKey(), freeze.getValue());
      }
    }
    if (permitsInFlight.contains(permit.permitId()) || isUsed(permit.permitId())) {
      return new JournalOutcome.PermitUsed();
    }
    return permit.expiresAt().toEpochMilli() <= forgottenUntil ? new JournalOutcome.PermitForgotten() : null;
  }

  private boolean isCanceled(ByteBuffer print) {
    return cancelsInFlight.containsKey(print) || firsts.cancellationOf(print) != 0;
  }

  private static @Nullable Intent first(long offset, @Nullable Intent inFlight, Reader reader) throws IOException {
    if (inFlight != null) {
      return inFlight;
    }
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
      spendsInFlight.putIfAbsent(SpendKey.of(payment), payment);
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
        spendsInFlight.remove(SpendKey.of(payment));
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
      case JournalRecord.Kept(var time, var intent) -> {
        if (firsts.take(intent, at) && intent instanceof PaymentIntent payment) {
          spending.addPast(payment, time);
        }
      }
      case JournalRecord.UsedPermit(_, var permitId, var expiresAt) -> remember(permitId, expiresAt);
      case JournalRecord.Compacted(_, var before, var until) -> {
        records += before;
        forgottenUntil = Math.max(forgottenUntil, until.toEpochMilli());
      }
    }
  }

  /** Whether a permit of this id and expiry was used, as far as is known. */
  boolean refuses(UUID permitId, Instant expiresAt) {
    return isUsed(permitId) || expiresAt.toEpochMilli() <= forgottenUntil;
  }

  private boolean isUsed(UUID permitId) {
    return permits.get(permitId.getMostSignificantBits(), permitId.getLeastSignificantBits()) != 0;
  }

  /**
   * What a compacted journal says of all that it does not keep.
   *
   * @param leftOutUntil the latest expiry of the permits that it does not list
   */
  JournalRecord.Compacted compacted(Instant now, Instant leftOutUntil) {
    return new JournalRecord.Compacted(now, records,
        Instant.ofEpochMilli(Math.max(forgottenUntil, leftOutUntil.toEpochMilli())));
  }

  /** Whether this holds as many records of each kind as another, and the same freezes, and forgets no fewer permits. */
  boolean saysTheSame(JournalMemory other) {
    return records == other.records && frozen.equals(other.frozen) && firsts.isAsLargeAs(other.firsts)
        && forgottenUntil >= other.forgottenUntil;
  }

  /** What was first signed for each nonce and spend. */
  FirstSigned firsts() {
    return firsts;
  }

  /** Counts against other ceilings from now on; what was signed before is then given by {@link #count}. */
  void ceilings(Ceilings next) {
    spending = new Spending(next);
  }

  /** Counts a durable record that was read again, if it is the first of its spend. */
  void count(JournalRecord record, long at) {
    var intent = record.agreedTo();
    if (intent.isPresent() && intent.get() instanceof PaymentIntent payment
        && firsts.of(SpendKey.of(payment)) == at) {
      spending.addPast(payment, record.at());
    }
  }

  /** Whether it is the first of its spend. */
  private boolean remember(Permit permit, Intent intent, long offset) {
    remember(permit.permitId(), permit.expiresAt());
    records++;
    return firsts.take(intent, offset);
  }

  private void remember(UUID permitId, Instant expiresAt) {
    permits.putIfAbsent(permitId.getMostSignificantBits(), permitId.getLeastSignificantBits(),
        expiresAt.toEpochMilli());
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
}
