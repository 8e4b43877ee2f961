package io.bursar.rehearsal;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.TreeMap;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Asset;
import io.bursar.policy.Decision;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.MemoryCounters;
import io.bursar.policy.Policy;
import io.bursar.policy.Policy.InForce;
import io.bursar.policy.PolicyEngine;
import io.bursar.policy.Replay;
import io.bursar.policy.Window;
import io.bursar.spend.SpendFacts;

/**
 * What a candidate would have decided: the recorded requests of a period are decided in their order with the candidate in place
 * of what stood at its target, beside the other policies that were in force then. Every counter is rebuilt as it goes, from
 * what the candidate lets through, so that one changed decision changes what later ones find.
 *
 * <p>Requests before the period are counted as they were decided. What was given back in truth (rejected, expired, canceled,
 * failed) is given back at the same time here; what the candidate allows and the record does not, is taken to have been paid; what
 * it sends to approvers holds its amount. Memory grows with what the limits' windows hold, not with the number of requests.
 */
public final class Backtest {
  /** How many spends of each kind of change are shown. */
  public static final int EXAMPLES_MAX = 5;

  /** How many different combinations of policies are kept prepared. */
  private static final int KEPT_MAX = 1_000;

  /**
   * What is tried.
   *
   * @param target what the candidate would be attached to
   * @param targetId of that tenant, agent or wallet
   */
  public record Candidate(UUID policyId, Policy policy, Policy.Target target, UUID targetId) {
    boolean decidesOver(SpendFacts facts) {
      return switch (target) {
        case TENANT -> targetId.equals(facts.tenantId());
        case AGENT -> targetId.equals(facts.agentId());
        case WALLET -> targetId.equals(facts.walletId());
      };
    }
  }

  /**
   * A recorded request and what became of it.
   *
   * @param effect of its first decision
   * @param policies that were in force
   * @param givenBackAt when its reservation was given back as a whole; absent where it was not
   */
  public record Recorded(UUID spendId, Instant at, SpendFacts facts, Effect effect,
      List<Decision.PolicyVersion> policies, @Nullable Instant givenBackAt) {}

  /** A spend that the candidate decides otherwise, and the reasons for that decision. */
  public record Example(UUID spendId, Instant at, SpendFacts facts, List<Decision.Reason> reasons) {}

  /**
   * All spends that were decided one way and would be decided another.
   *
   * @param sums base units by asset
   */
  public record Change(Effect recorded, Effect candidate, long count, Map<Asset, BigInteger> sums,
      List<Example> examples) {}

  /**
   * What came out.
   *
   * @param requests of the period that the candidate decides over
   * @param unchanged how many of them it decides as they were decided
   * @param rules for each rule of the candidate that stood in the way of a spend, how many it did
   */
  public record Report(long requests, long unchanged, List<Change> changes, Map<String, Long> rules) {}

  private static final class Tally {
    private long count;
    private final Map<Asset, BigInteger> sums = new HashMap<>();
    private final List<Example> examples = new ArrayList<>();

    void add(Recorded request, Decision decision) {
      count++;
      sums.merge(request.facts().asset(), request.facts().amount(), BigInteger::add);
      if (examples.size() < EXAMPLES_MAX) {
        examples.add(new Example(request.spendId(), request.at(), request.facts(), decision.reasons()));
      }
    }
  }

  private record Held(Instant backAt, Instant chargedAt, List<Decision.Charge> charges, SpendFacts facts) {}

  private record Standing(List<Decision.PolicyVersion> policies, boolean candidate) {}

  private final Replay.Policies policies;
  private final Candidate candidate;
  private final InForce candidateInForce;
  private final Instant from;
  private final MemoryCounters counters = new MemoryCounters();
  private final Map<Standing, List<InForce>> standings = new HashMap<>();
  private final Map<Decision.PolicyVersion, InForce> prepared = new HashMap<>();
  private final PriorityQueue<Held> returning = new PriorityQueue<>(Comparator.comparing(Held::backAt));
  private final Map<Effect, Map<Effect, Tally>> tallies = new EnumMap<>(Effect.class);
  private final Map<String, Long> rules = new TreeMap<>();
  private long requests;
  private long unchanged;

  /**
   * A test that has seen nothing yet.
   *
   * @param policies where the other policies come from
   * @param from the beginning of the period; earlier requests are only counted
   */
  public Backtest(Replay.Policies policies, Candidate candidate, Instant from) {
    this.policies = policies;
    this.candidate = candidate;
    this.candidateInForce = new InForce(candidate.policyId(), candidate.policy(), candidate.target());
    this.from = from;
    counters.watch(candidateInForce);
  }

  /** From when on requests must be counted so that the candidate's windows are full when the period begins. */
  public static Instant countedFrom(Policy candidate, Policy.Target target, Instant from) {
    var first = from;
    for (var counted : PolicyEngine.counted(candidate, target)) {
      var begins = switch (counted.window()) {
        case Window.Rolling rolling -> from.minus(rolling.length()).minus(Duration.ofSeconds(rolling.fineSeconds()));
        case Window.Calendar calendar -> calendar.start(from);
        case Window.Lifetime lifetime -> Instant.EPOCH;
        case Window.Spend spend -> from;
      };
      first = begins.isBefore(first) ? begins : first;
    }
    return first;
  }

  /**
   * Decides the next request, which was decided no earlier than the one before.
   *
   * @throws IllegalArgumentException if a policy that was in force is not known
   */
  public void add(Recorded request) {
    giveBack(request.at());
    boolean concerned = candidate.decidesOver(request.facts());
    if (standings.size() >= KEPT_MAX) {
      standings.clear();
      prepared.clear();
    }
    var inForce = standings.computeIfAbsent(new Standing(request.policies(), concerned), this::inForce);
    if (request.at().isBefore(from)) {
      if (request.effect() != Effect.DENY) {
        hold(request, PolicyEngine.charges(inForce, request.facts()));
      }
      return;
    }
    var decision = PolicyEngine.decide(inForce, request.facts(), counters, request.at());
    if (decision.effect() != Effect.DENY) {
      hold(request, decision.charges());
    }
    if (concerned) {
      note(request, decision);
    }
  }

  private void note(Recorded request, Decision decision) {
    requests++;
    if (decision.effect() == request.effect()) {
      unchanged++;
    } else {
      tallies.computeIfAbsent(request.effect(), effect -> new EnumMap<>(Effect.class))
          .computeIfAbsent(decision.effect(), effect -> new Tally()).add(request, decision);
    }
    for (var reason : decision.reasons()) {
      if (reason.rule() != null && candidate.policyId().equals(reason.policyId())) {
        rules.merge(reason.rule(), 1L, Long::sum);
      }
    }
  }

  private void hold(Recorded request, List<Decision.Charge> charges) {
    counters.charge(charges, request.facts(), request.at());
    if (request.givenBackAt() != null) {
      returning.add(new Held(request.givenBackAt(), request.at(), charges, request.facts()));
    }
  }

  private void giveBack(Instant now) {
    while (!returning.isEmpty() && !returning.peek().backAt().isAfter(now)) {
      var held = returning.remove();
      counters.giveBack(held.charges(), held.facts(), held.chargedAt(), now);
    }
  }

  private List<InForce> inForce(Standing standing) {
    List<InForce> inForce = new ArrayList<>();
    for (var version : standing.policies()) {
      if (!standing.candidate() || version.attachedTo() != candidate.target()) {
        inForce.add(prepared.computeIfAbsent(version, this::prepare));
      }
    }
    if (standing.candidate()) {
      inForce.add(candidateInForce);
    }
    return inForce;
  }

  private InForce prepare(Decision.PolicyVersion version) {
    var inForce = new InForce(version.policyId(), policies.find(version.policyId(), version.version()).orElseThrow(
        () -> new IllegalArgumentException("the policy version `" + version.version() + "` is not known")),
        version.attachedTo());
    counters.watch(inForce);
    return inForce;
  }

  /** What came out so far. */
  public Report report() {
    List<Change> changes = new ArrayList<>();
    tallies.forEach((recorded, byCandidate) -> byCandidate.forEach((decided, tally) -> changes.add(
        new Change(recorded, decided, tally.count, Map.copyOf(tally.sums), List.copyOf(tally.examples)))));
    return new Report(requests, unchanged, changes, new TreeMap<>(rules));
  }
}
