package io.bursar.signer;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.permit.PaymentIntent;
import io.bursar.policy.Decision;
import io.bursar.policy.Decision.Charge;
import io.bursar.policy.MemoryCounters;
import io.bursar.policy.PolicyEngine;
import io.bursar.policy.Rule.GroupThreshold;
import io.bursar.spend.SpendFacts;

/**
 * What was signed, counted against {@link Ceilings} by the engine that decides policies. Every first signature for a nonce counts, at
 * the time it was recorded; nothing is ever given back but what did not become durable. Not for use by several threads at once.
 */
final class Spending {
  private static final UUID NOBODY = new UUID(0, 0);

  /** What the ceilings say. */
  sealed interface Verdict {
    record Within(Counted counted) implements Verdict {}

    record Over(String why) implements Verdict {}

    /** Above a line for which these groups have not signed in such numbers. */
    record Unapproved(List<GroupThreshold> missing) implements Verdict {}
  }

  /** What one transfer takes. */
  record Counted(List<Charge> charges, SpendFacts facts, Instant at) {}

  private final Ceilings ceilings;
  private final MemoryCounters counters = new MemoryCounters();
  private Instant latest = Instant.EPOCH;

  Spending(Ceilings ceilings) {
    this.ceilings = ceilings;
    ceilings.all().forEach(counters::watch);
  }

  /** Whether anything is counted at all. */
  boolean counts() {
    return ceilings.areSet();
  }

  /** An asset that is listed. */
  Optional<Asset> asset(long chainId, Address contract) {
    return ceilings.asset(chainId, contract);
  }

  /** Judges one transfer; {@link #add} then counts it. Needed only where there are ceilings. */
  Verdict judge(PaymentIntent intent, SpendApprovals.Result.Counted approved, Instant now) {
    var transfer = intent.transfer();
    var asset = ceilings.asset(intent.chainId(), transfer.token());
    if (asset.isEmpty()) {
      return new Verdict.Over("the token `" + transfer.token() + "` on chain " + intent.chainId()
          + " is none of the assets of this signer's ceilings");
    }
    var facts = new SpendFacts(intent.tenantId(), NOBODY, intent.keyId(), asset.get(), transfer.amount(),
        transfer.payee(), SpendFacts.TRANSFER, null, null, false, false);
    var at = monotone(now);
    var decision = PolicyEngine.decide(ceilings.of(intent.keyId()), facts, counters, at);
    return switch (decision.effect()) {
      case DENY -> new Verdict.Over("the ceilings of this signer do not let it through: " + reasons(decision));
      case ALLOW -> new Verdict.Within(new Counted(decision.charges(), facts, at));
      case REQUIRE_APPROVAL -> {
        var needed = decision.approval();
        var missing = approved.missing(needed == null ? List.of() : needed.groups());
        yield missing.isEmpty()
            ? new Verdict.Within(new Counted(decision.charges(), facts, at))
            : new Verdict.Unapproved(missing);
      }
    };
  }

  private static String reasons(Decision decision) {
    return decision.reasons().stream().map(reason -> reason.code() + " " + reason.message()).distinct()
        .collect(Collectors.joining("; "));
  }

  void add(Counted counted) {
    counters.charge(counted.charges, counted.facts, counted.at);
  }

  /** Counts what was signed before, as it is read from the journal. */
  void addPast(PaymentIntent intent, Instant at) {
    var transfer = intent.transfer();
    var asset = ceilings.asset(intent.chainId(), transfer.token());
    if (asset.isPresent()) {
      var facts = new SpendFacts(intent.tenantId(), NOBODY, intent.keyId(), asset.get(), transfer.amount(),
          transfer.payee(), SpendFacts.TRANSFER, null, null, false, false);
      add(new Counted(PolicyEngine.charges(ceilings.of(intent.keyId()), facts), facts, monotone(at)));
    }
  }

  void giveBack(Counted counted) {
    counters.giveBack(counted.charges, counted.facts, counted.at, latest);
  }

  /** A clock that goes back makes no room: windows end at the latest time that was ever seen. */
  private Instant monotone(Instant now) {
    if (now.isAfter(latest)) {
      latest = now;
    }
    return latest;
  }
}
