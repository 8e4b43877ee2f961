package io.bursar.rehearsal;

import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Decision;
import io.bursar.policy.Decision.Effect;
import io.bursar.policy.Headroom;
import io.bursar.policy.MemoryCounters;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEngine;
import io.bursar.spend.Id;
import io.bursar.spend.SpendFacts;

/**
 * Plays a ledger, line by line, against policies that no service has yet, with the engine that the service has, and says of
 * each line what was decided and whether that was expected. What is allowed or waits for approval is counted; what waits
 * expires when its time is over. The grammar is {@link LedgerText}'s.
 */
public final class Ledger {
  /** The most lines in one ledger. */
  public static final int LINES_MAX = 10_000;

  private static final UUID TENANT = MadeUp.id("tenant");

  /**
   * Where a ledger plays.
   *
   * @param assets what can be spent; the first is meant where a line names none
   * @param policies what decides over every wallet
   * @param names what ledgers call accounts ({@code 0x…}), agents ({@code agt_…}) and wallets ({@code wal_…}); another name is
   *        somebody or something else, the same wherever it stands
   * @param day the first day
   */
  public record World(List<Asset> assets, List<Policy.InForce> policies, Map<String, String> names, LocalDate day) {
    public World {
      assets = List.copyOf(assets);
      policies = List.copyOf(policies);
      names = Map.copyOf(names);
      if (assets.isEmpty()) {
        throw new IllegalArgumentException("there must be an asset to spend");
      }
    }
  }

  /** A line of a ledger and its number in the file that it comes from. */
  public record Line(int number, String text) {}

  /** A line that cannot be read. */
  public record Fault(int line, String message) {}

  /**
   * What became of one line.
   *
   * @param what the line up to {@code →}, in the words of the file
   * @param expected what it says after that; empty where it expects nothing
   * @param decided what was decided
   * @param asExpected whether that is the same
   * @param reasons the reasons in words; for a line that could not be played, why
   */
  public record Played(int line, Instant at, String what, String expected, String decided, boolean asExpected,
      List<String> reasons) {
    public Played {
      reasons = List.copyOf(reasons);
    }
  }

  /** What became of a ledger: its faults, if it has any, and otherwise what became of each line. */
  public record Result(List<Fault> faults, List<Played> lines) {
    public Result {
      faults = List.copyOf(faults);
      lines = List.copyOf(lines);
    }

    public boolean isAsExpected() {
      return faults.isEmpty() && lines.stream().allMatch(Played::asExpected);
    }
  }

  private static final class Spent {
    private final SpendFacts facts;
    private Decision decision;
    private Instant at;
    private @Nullable Instant expiresAt;
    private boolean held;

    private Spent(SpendFacts facts, Decision decision, Instant at) {
      this.facts = facts;
      this.decision = decision;
      this.at = at;
    }
  }

  private final World world;
  private final MemoryCounters counters = new MemoryCounters();
  private final Map<String, Spent> named = new HashMap<>();
  private final List<Spent> waiting = new ArrayList<>();
  private final Set<UUID> frozen = new HashSet<>();
  private final Set<UUID> suspended = new HashSet<>();
  private final Map<Integer, String> texts = new LinkedHashMap<>();
  private Instant now;

  private Ledger(World world) {
    this.world = world;
    this.now = world.day().atStartOfDay().toInstant(ZoneOffset.UTC);
    world.policies().forEach(counters::watch);
  }

  /** Plays lines in their order; empty ones and those that begin with {@code #} are passed over. */
  public static Result play(World world, List<Line> lines) {
    var ledger = new Ledger(world);
    var text = new LedgerText();
    List<Step> steps = new ArrayList<>();
    List<Fault> faults = new ArrayList<>();
    for (var line : lines) {
      var stripped = line.text().strip();
      if (stripped.isEmpty() || stripped.startsWith("#")) {
        continue;
      }
      try {
        steps.add(text.read(line.number(), stripped));
        ledger.texts.put(line.number(), stripped);
      } catch (LedgerText.Unreadable e) {
        faults.add(new Fault(line.number(), Objects.requireNonNull(e.getMessage())));
      }
    }
    if (steps.size() > LINES_MAX) {
      faults.add(new Fault(steps.get(LINES_MAX).line(), "a ledger has at most " + LINES_MAX + " lines"));
    }
    if (!faults.isEmpty()) {
      return new Result(faults, List.of());
    }
    return new Result(List.of(), steps.stream().map(ledger::play).toList());
  }

  private Played play(Step step) {
    var at = time(step.when());
    if (at.isBefore(now)) {
      return notPlayed(step, "this is before the line before, " + now);
    }
    now = at;
    expire();
    return switch (step) {
      case Step.Spend spend -> spend(spend);
      case Step.Approve approve -> approve(approve);
      case Step.Reject(int line, Step.When when, String label) -> giveBack(step, label, true);
      case Step.GiveBack(int line, Step.When when, String label) -> giveBack(step, label, false);
      case Step.Freeze(int line, Step.When when, String wallet, boolean isFrozen) -> {
        change(frozen, walletOrAgent(Id.WALLET, wallet), isFrozen);
        yield done(step);
      }
      case Step.Suspend(int line, Step.When when, String agent, boolean isSuspended) -> {
        change(suspended, walletOrAgent(Id.AGENT, agent), isSuspended);
        yield done(step);
      }
    };
  }

  private Instant time(Step.When when) {
    return switch (when) {
      case Step.When.OfFirstDay(var time) -> world.day().atTime(time).toInstant(ZoneOffset.UTC);
      case Step.When.At(var time) -> time;
      case Step.When.After(var duration) -> now.plus(duration);
    };
  }

  private Played spend(Step.Spend spend) {
    SpendFacts facts;
    try {
      facts = facts(spend);
    } catch (IllegalArgumentException e) {
      return notPlayed(spend, String.valueOf(e.getMessage()));
    }
    var decision = PolicyEngine.decide(world.policies(), facts, counters, now);
    var played = compared(spend, spend.expected(), decision, facts);
    var spent = new Spent(facts, decision, now);
    hold(spent);
    spend.label().ifPresent(label -> named.put(label, spent));
    return played;
  }

  private void hold(Spent spent) {
    spent.held = spent.decision.effect() != Effect.DENY;
    spent.expiresAt = spent.decision.approval() == null ? null : now.plus(spent.decision.approval().expiresAfter());
    if (spent.held) {
      counters.charge(spent.decision.charges(), spent.facts, now);
      spent.at = now;
      if (spent.expiresAt != null) {
        waiting.add(spent);
      }
    }
  }

  private Played approve(Step.Approve approve) {
    var spent = Objects.requireNonNull(named.get(approve.label()));
    if (spent.expiresAt != null && !now.isBefore(spent.expiresAt)
        && spent.decision.effect() == Effect.REQUIRE_APPROVAL) {
      return compared(approve, approve.expected(), "expired",
          List.of("the time for approvals was over at " + spent.expiresAt));
    }
    if (!waiting.remove(spent)) {
      return notPlayed(approve, "`" + approve.label() + "` does not wait for approval");
    }
    counters.giveBack(spent.decision.charges(), spent.facts, spent.at, now);
    var facts = new SpendFacts(spent.facts.tenantId(), spent.facts.agentId(), spent.facts.walletId(),
        spent.facts.asset(),
        spent.facts.amount(), spent.facts.payee(), spent.facts.method(), spent.facts.category(), spent.facts.host(),
        frozen.contains(spent.facts.walletId()), suspended.contains(spent.facts.agentId()), spent.facts.text());
    var again = PolicyEngine.decide(world.policies(), facts, counters, now);
    spent.decision = again;
    hold(spent);
    if (again.effect() != Effect.DENY) {
      waiting.remove(spent);
      spent.expiresAt = null;
      return compared(approve, approve.expected(), "allow", List.of());
    }
    return compared(approve, approve.expected(), again, facts);
  }

  private Played giveBack(Step step, String label, boolean isRejection) {
    var spent = Objects.requireNonNull(named.get(label));
    boolean waits = waiting.remove(spent);
    if (!spent.held || (isRejection && !waits)) {
      return notPlayed(step, isRejection
          ? "`" + label + "` does not wait for approval"
          : "`" + label + "` holds nothing that could be given back");
    }
    counters.giveBack(spent.decision.charges(), spent.facts, spent.at, now);
    spent.held = false;
    return done(step);
  }

  private void expire() {
    waiting.removeIf(spent -> {
      boolean over = spent.expiresAt != null && !now.isBefore(spent.expiresAt);
      if (over) {
        counters.giveBack(spent.decision.charges(), spent.facts, spent.at, now);
        spent.held = false;
      }
      return over;
    });
  }

  private SpendFacts facts(Step.Spend spend) {
    var asset = asset(spend.asset(), spend.chain());
    var wallet = walletOrAgent(Id.WALLET, spend.wallet());
    var agent = walletOrAgent(Id.AGENT, spend.agent());
    BigInteger amount = Amount.parse(spend.amount().toPlainString(), asset.decimals());
    return new SpendFacts(TENANT, agent, wallet, asset, amount, payee(spend.payee()), SpendFacts.TRANSFER,
        spend.category(), spend.host(), frozen.contains(wallet), suspended.contains(agent), spend.text());
  }

  private Asset asset(Optional<String> symbol, Optional<String> chain) {
    return world.assets().stream()
        .filter(
            asset -> symbol.map(asset.symbol()::equals).orElse(true) && chain.map(asset.chain()::equals).orElse(true))
        .findFirst().orElseThrow(() -> new IllegalArgumentException("there is no asset `" + symbol.orElse("") + "`"
            + chain.map(name -> " on `" + name + "`").orElse("") + " in `assets`"));
  }

  private Address payee(String name) {
    var text = world.names().getOrDefault(name, name);
    if (text.startsWith("0x")) {
      try {
        return Address.parse(text);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("the payee `" + text + "` " + e.getMessage(), e);
      }
    }
    return MadeUp.address("payee " + name);
  }

  private UUID walletOrAgent(Id kind, String name) {
    return kind.parse(world.names().getOrDefault(name, name)).orElseGet(() -> MadeUp.id(kind + " " + name));
  }

  private static void change(Set<UUID> set, UUID id, boolean in) {
    if (in) {
      set.add(id);
    } else {
      set.remove(id);
    }
  }

  private Played compared(Step step, Step.Expected expected, Decision decision, SpendFacts facts) {
    var effect = switch (decision.effect()) {
      case ALLOW -> "allow";
      case DENY -> "deny";
      case REQUIRE_APPROVAL -> "approval";
    };
    var codes = decision.reasons().stream().map(reason -> reason.code().name()).distinct().toList();
    var max = expected.max().map(wanted -> Headroom.maxAmountNow(world.policies(), facts, counters, now)
        .map(units -> Amount.format(units, facts.asset().decimals())).orElse("none"));
    var retry = expected.retry()
        .map(wanted -> Headroom.retryAt(world.policies(), facts, counters, now).map(this::told).orElse("never"));
    var decided = new Step.Expected(effect, effect.equals("approval") && expected.codes().isEmpty() ? List.of() : codes,
        max, retry);
    var wanted = new Step.Expected(expected.effect(), expected.codes().isEmpty() ? decided.codes() : expected.codes(),
        expected.max(), expected.retry().map(this::normalised));
    var reasons = decision.reasons().stream()
        .map(reason -> (reason.rule() == null ? "" : "`" + reason.rule() + "` ") + reason.message()).toList();
    return played(step, expected.toString(), decided.toString(), decided.equals(wanted), reasons);
  }

  private Played compared(Step step, Step.Expected expected, String decided, List<String> reasons) {
    boolean same = expected.effect().equals(decided) && expected.codes().isEmpty() && expected.max().isEmpty()
        && expected.retry().isEmpty();
    return played(step, expected.toString(), decided, same, reasons);
  }

  /** A time of the first day as people write it there, another one in full. */
  private String told(Instant time) {
    var local = time.atOffset(ZoneOffset.UTC);
    return local.toLocalDate().equals(world.day()) ? local.toLocalTime().toString() : time.toString();
  }

  private String normalised(String time) {
    try {
      return time.equals("never") ? time : told(time(LedgerText.when(time)));
    } catch (LedgerText.Unreadable e) {
      throw new IllegalStateException("was read before: " + time, e);
    }
  }

  private Played done(Step step) {
    return played(step, "", "", true, List.of());
  }

  private Played notPlayed(Step step, String why) {
    return played(step, "", "nothing", false, List.of(why));
  }

  private Played played(Step step, String expected, String decided, boolean asExpected, List<String> reasons) {
    var text = Objects.requireNonNull(texts.get(step.line()));
    int arrow = text.replace("->", "→").indexOf('→');
    var what = (arrow < 0 ? text : text.substring(0, arrow)).strip();
    return new Played(step.line(), now, what, expected, decided, asExpected, reasons);
  }
}
