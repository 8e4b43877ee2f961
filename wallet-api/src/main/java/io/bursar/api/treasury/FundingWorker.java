package io.bursar.api.treasury;

import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.funding.FundsCheck;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Amount;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import io.bursar.store.Directory.Wallet;
import io.bursar.store.FundingRules;
import io.bursar.store.FundingRules.Rule;
import io.bursar.store.Funds;
import io.bursar.store.Lane.Outcome;
import io.bursar.store.Spend;

/**
 * Asks for the spends that funding rules need. A rule's next spend has a key that follows from its row, and a rule asks for another one
 * only when the last is over; so two processes, or one that is started again, never make two for one need. Where a spend comes to
 * nothing, as when policy denies it, the rule rests, each time for twice as long.
 */
public final class FundingWorker implements AutoCloseable {
  /** Where spends are asked for. */
  public interface Desk {
    List<Outcome> decide(UUID tenantId, List<Spend.Request> requests);
  }

  /**
   * Pace.
   *
   * @param look how often a rule is looked at while all is well
   * @param rest how long a rule rests after a spend that came to nothing; twice as long after each further one
   * @param restMax the longest rest
   */
  public record Settings(Duration look, Duration rest, Duration restMax) {
    public static final Settings DEFAULT = new Settings(Duration.ofSeconds(5), Duration.ofSeconds(30),
        Duration.ofHours(1));
  }

  /** What the spends are for: policies and limits can name it. */
  public static final String CATEGORY = "funding";

  private static final Logger LOG = LoggerFactory.getLogger(FundingWorker.class);
  private static final Duration EVERY = Duration.ofSeconds(1);
  private static final Duration LEASE = Duration.ofSeconds(20);
  private static final int AT_ONCE = 50;
  /** Doubling is over after so many setbacks in a row. */
  private static final int DOUBLINGS_MAX = 20;

  private final FundingRules rules;
  private final Directory directory;
  private final FundsCheck funds;
  private final Desk desk;
  private final Map<String, Chain> chains;
  private final Settings settings;
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
      Thread.ofPlatform().daemon().name("funding-", 0).factory());

  /** @param chains by CAIP-2 name */
  public FundingWorker(FundingRules rules, Directory directory, Funds funds, Desk desk, Map<String, Chain> chains,
      Settings settings) {
    this.rules = rules;
    this.directory = directory;
    this.funds = new FundsCheck(funds, FundsCheck.WAIT);
    this.desk = desk;
    this.chains = Map.copyOf(chains);
    this.settings = settings;
  }

  /** Begins; call it once. */
  public void start() {
    var _ = timer.scheduleWithFixedDelay(() -> chains.values().forEach(chain -> {
      try {
        work(chain);
      } catch (RuntimeException e) {
        LOG.atWarn().addKeyValue("chain", chain.name()).setCause(e)
            .log("could not look at funding rules; it will be tried again");
      }
    }), EVERY.toMillis(), EVERY.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Looks at the rules of a chain that are due. */
  public void work(Chain chain) {
    for (var rule : rules.claim(chain.name(), AT_ONCE, LEASE)) {
      try {
        look(chain, rule);
      } catch (ChainUnavailable e) {
        rules.later(rule, settings.look, "the chain cannot be asked: " + e.getMessage());
      } catch (RuntimeException e) {
        LOG.atWarn().addKeyValue("rule", rule.id()).setCause(e).log("a funding rule failed, and is tried again");
        rules.later(rule, settings.look, "it cannot be decided now: " + e.getMessage());
      }
    }
  }

  private void look(Chain chain, Rule rule) throws ChainUnavailable {
    var last = rule.progress().state();
    if (last != null) {
      follow(rule, last);
      return;
    }
    var move = Move.of(rule, directory);
    long settled = chain.settled();
    if (settled < 0) {
      rules.later(rule, settings.look, null);
      return;
    }
    var available = available(chain, rule, move.watched, settled);
    // The books are read after the block: what they do not show as moving any more is in the balance of that block.
    if (available.isEmpty() || rules.isMoving(rule.tenantId(), move.payer.id(), move.payee.address(),
        rule.terms().asset().id(), settled)) {
      rules.later(rule, EVERY, rule.progress().note());
      return;
    }
    var amount = Move.amount(rule.terms(), available.get());
    if (amount.signum() == 0) {
      rules.later(rule, settings.look, null);
      return;
    }
    var obstacle = obstacle(chain, rule, move, amount, settled);
    if (obstacle.isPresent()) {
      rules.later(rule, settings.look, obstacle.get());
    } else if (rules.stands(rule)) {
      rules.asked(rule, ask(rule, move, amount));
    }
  }

  /** The last spend is over, or it is waited for. */
  private void follow(Rule rule, String state) {
    var spend = Id.SPEND.text(java.util.Objects.requireNonNull(rule.progress().spendId()));
    switch (state) {
      case "awaiting_approval" -> rules.later(rule, settings.look, "the spend " + spend + " waits for approval");
      case "authorized", "prepared", "signed", "broadcast" -> rules.later(rule, EVERY, null);
      case "confirmed" -> rules.close(rule, true, Duration.ZERO, null);
      default -> {
        var rest = rest(rule.progress().setbacks());
        rules.close(rule, false, rest, "the spend " + spend + " was `" + state + "`"
            + rules.failure(rule.tenantId(), java.util.Objects.requireNonNull(rule.progress().spendId()))
                .map(why -> ": " + why).orElse("")
            + "; the next one is asked for " + rest.toSeconds() + " s later at the soonest");
      }
    }
  }

  private Duration rest(int setbacks) {
    var rest = settings.rest.multipliedBy(1L << Math.min(setbacks, DOUBLINGS_MAX));
    return rest.compareTo(settings.restMax) > 0 ? settings.restMax : rest;
  }

  private Optional<BigInteger> available(Chain chain, Rule rule, Wallet wallet, long settled) throws ChainUnavailable {
    return funds.available(chain,
        new Funds.Account(rule.tenantId(), wallet.id(), rule.terms().asset().asset().contract()), wallet.address(),
        settled);
  }

  /** Why a spend would come to nothing, as far as that can be known without asking for it: nothing is put on the record for it. */
  private Optional<String> obstacle(Chain chain, Rule rule, Move move, BigInteger amount, long settled)
      throws ChainUnavailable {
    if (move.payer.frozen()) {
      return Optional.of("the wallet " + Id.WALLET.text(move.payer.id()) + " is frozen");
    }
    if (rule.terms().kind() == FundingRules.Kind.SWEEP) {
      return Optional.empty();
    }
    var held = available(chain, rule, move.payer, settled);
    var decimals = rule.terms().asset().asset().decimals();
    return held.isPresent() && held.get().compareTo(amount) < 0
        ? Optional.of("the treasury has " + Amount.format(held.get().max(BigInteger.ZERO), decimals) + " of the "
            + Amount.format(amount, decimals) + " " + rule.terms().asset().asset().symbol() + " that are missing")
        : Optional.empty();
  }

  /** Asks for the rule's next spend, or finds the one that was asked for under its key, whatever it was of. */
  private UUID ask(Rule rule, Move move, BigInteger amount) {
    return switch (desk.decide(rule.tenantId(), List.of(request(rule, move, amount))).getFirst()) {
      case Outcome.Decided(var spend) -> spend.id();
      case Outcome.Replayed(var id) -> id;
      case Outcome.KeyReused(var id) -> id;
    };
  }

  private static Spend.Request request(Rule rule, Move move, BigInteger amount) {
    var asset = rule.terms().asset().asset();
    var purpose = "funding rule: " + rule.terms().kind().text();
    var key = "funding-" + rule.id() + "-" + rule.progress().serial();
    var document = Json.object().put("walletId", Id.WALLET.text(move.payer.id())).put("asset", asset.symbol())
        .put("amount", Amount.format(amount, asset.decimals())).put("to", move.payee.address().toString())
        .put("purpose", purpose).put("category", CATEGORY).build();
    return new Spend.Request(move.payer.agentId(), move.payer.id(), key,
        Digest32.sha256(JsonText.canonical(document)).bytes(), rule.terms().asset(), amount, move.payee.address(),
        CATEGORY, null, new Spend.Text(purpose, null, null), null);
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }

  /**
   * Who pays whom.
   *
   * @param watched whose balance the rule is about
   */
  private record Move(Wallet payer, Wallet payee, Wallet watched) {
    static Move of(Rule rule, Directory directory) {
      var wallet = directory.wallet(rule.tenantId(), rule.walletId()).orElseThrow();
      var treasury = directory.wallet(rule.tenantId(), rule.terms().treasuryId()).orElseThrow();
      return switch (rule.terms().kind()) {
        case SWEEP -> new Move(wallet, treasury, wallet);
        case TOP_UP -> new Move(treasury, wallet, wallet);
      };
    }

    /** What is to be moved, in base units; 0 if the line is not crossed. */
    static BigInteger amount(FundingRules.Terms terms, BigInteger available) {
      return switch (terms.kind()) {
        case SWEEP -> available.compareTo(terms.threshold()) > 0
            ? available.subtract(terms.target())
            : BigInteger.ZERO;
        case TOP_UP -> available.compareTo(terms.threshold()) < 0
            ? terms.target().subtract(available)
            : BigInteger.ZERO;
      };
    }
  }
}
