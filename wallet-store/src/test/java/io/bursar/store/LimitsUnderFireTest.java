package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.SQLTransientConnectionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.transaction.CannotCreateTransactionException;

import io.bursar.approval.Verdict;
import io.bursar.policy.Policy;

/**
 * Many threads, each with a lane of its own as if it were another process, spend, cancel, approve, reject, let expire and change the
 * policies in force, all at once: no limit is ever exceeded, and in the end each holds exactly what was not given back.
 */
class LimitsUnderFireTest {
  private static final long SEED = 20261125;
  private static final int THREADS = 32;
  private static final long MILLIS = 3_000;
  private static final long MILLIS_MAX = 30_000;
  private static final Set<String> EVERYTHING = Set.of("authorized", "awaiting_approval", "denied", "canceled",
      "approved",
      "rejected", "expired", "attached");
  private static final String NOT_GIVEN_BACK = "p.state NOT IN ('rejected', 'expired', 'canceled', 'failed', 'denied')";
  private static final String WALLET_RULES = """
      {"id":"any","kind":"permit"},
      {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"100","window":{"rolling":"PT24H"}},
      {"id":"big","kind":"approval","match":{"assets":["USDC"],"amount":{"above":"%d"}},
       "groups":[{"group":"finance","threshold":1}],"expiresAfter":"PT4H"}""";
  private static final String TENANT_RULES = """
      {"id":"any","kind":"permit"},
      {"id":"all","kind":"limit","match":{"currency":"USD"},"max":"150","window":{"calendar":"month","zone":"UTC"}},
      {"id":"count","kind":"limit","maxCount":60,"window":{"rolling":"P7D"},"per":["agent"]}""";

  private final Fixture fixture = new Fixture();
  private final UUID other = fixture.newWallet();
  private final PaymentStore payments = new PaymentStore(fixture.database, fixture.audit, fixture.reservations,
      PaymentStore.Settings.DEFAULT);
  private final UUID approver = fixture.approvers.create(fixture.tenant, "Ada", null, "test").orElseThrow().id();
  private final List<UUID> made = java.util.Collections.synchronizedList(new ArrayList<>());
  private final AtomicReference<UUID> newestThatWaits = new AtomicReference<>(new UUID(0, 0));
  private final ConcurrentHashMap<String, AtomicLong> done = new ConcurrentHashMap<>();
  private volatile long began;

  @AfterEach
  void close() {
    fixture.close();
  }

  @Test
  void limitsStayExactWhateverIsGivenBackAndDecidedAgain() throws Exception {
    assertThat(fixture.approvers.createGroup(fixture.tenant, "finance", List.of(approver), "test")).isPresent();
    fixture.attach(Policy.Target.TENANT, fixture.tenant, TENANT_RULES);
    for (var wallet : List.of(fixture.wallet, other)) {
      fixture.attach(Policy.Target.WALLET, wallet, WALLET_RULES.formatted(8));
    }
    began = System.nanoTime();
    try (var pool = Executors.newFixedThreadPool(THREADS + 1)) {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        var random = new Random(SEED + i);
        running.add(pool.submit(() -> {
          var lane = fixture.lanes.open(fixture.tenant);
          while (goesOn()) {
            try {
              act(lane, random);
            } catch (SQLTransientConnectionException | CannotCreateTransactionException e) {
              count("overloaded"); // no connection was to be had in time, so nothing was done
            }
          }
          return null;
        }));
      }
      running.add(pool.submit(() -> {
        while (goesOn()) {
          assertThatNothingIsExceeded();
        }
      }));
      for (var each : running) {
        each.get();
      }
    }
    assertThatNothingIsExceeded();
    assertThat(fixture.counters.differences(fixture.tenant)).isEmpty();
    assertThat(done.keySet()).as("seed %d: %s", SEED, done).containsAll(EVERYTHING);
    // What the next decision reads is exactly what was not given back.
    for (var wallet : List.of(fixture.wallet, other)) {
      var decision = fixture.lanes
          .rehearse(fixture.tenant, fixture.request(wallet, "last", "200", Fixture.PAYEE)).asSpend().authorization()
          .decision();
      var used = held("p.wallet_id = '" + wallet + "'").add(Fixture.units("200"));
      assertThat(decision.get("reasons")).asString().contains("daily").contains("observed=Str[value="
          + io.bursar.money.Amount.format(used, 6) + "]");
    }
  }

  /** For some seconds; longer where not everything has happened yet, as on a busy machine. */
  private boolean goesOn() {
    long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
    return millis < MILLIS || (millis < MILLIS_MAX && !done.keySet().containsAll(EVERYTHING));
  }

  private void act(Lane lane, Random random) throws Exception {
    switch (random.nextInt(20)) {
      case 0, 1, 2, 3 -> cancel(random);
      case 4, 5, 6 -> speak(random, Verdict.APPROVE, "approved");
      case 7, 8 -> speak(random, Verdict.REJECT, "rejected");
      case 9 -> expire();
      case 10 -> {
        if (random.nextInt(8) == 0) {
          fixture.attach(Policy.Target.WALLET, fixture.wallet, WALLET_RULES.formatted(7 + random.nextInt(2)));
          count("attached");
        }
      }
      default -> {
        var request = fixture.request(random.nextBoolean() ? fixture.wallet : other, UUID.randomUUID().toString(),
            (1 + random.nextInt(12)) + "." + random.nextInt(1_000_000), Fixture.PAYEE);
        var spend = ((Lane.Outcome.Decided) lane.decide(List.of(request)).getFirst()).spend();
        count(spend.status());
        if (!spend.status().equals("denied")) {
          made.add(spend.id());
        }
        if (spend.status().equals("awaiting_approval")) {
          newestThatWaits.set(spend.id());
        }
      }
    }
  }

  private void count(String what) {
    done.computeIfAbsent(what, name -> new AtomicLong()).incrementAndGet();
  }

  private UUID any(Random random) {
    synchronized (made) {
      return made.isEmpty() ? new UUID(0, 0) : made.get(random.nextInt(made.size()));
    }
  }

  private void cancel(Random random) {
    if (payments.cancel(fixture.tenant, any(random), "test") instanceof PaymentMove.Cancel.Canceled) {
      count("canceled");
    }
  }

  private void speak(Random random, Verdict verdict, String name) {
    // Of all that were made few wait, and those not for long: every second word goes to one that probably does.
    var spend = random.nextBoolean() ? newestThatWaits.get() : any(random);
    var word = new Approvals.Word(fixture.tenant, spend, approver, verdict, null, null, null);
    if (fixture.approvals.speak(word, "test") instanceof Approvals.Result.Taken) {
      count(name);
    }
  }

  /** The time of some spend that waits is over at once. */
  private void expire() {
    fixture.test.asAdministrator("""
        UPDATE payment SET expires_at = '-infinity' WHERE state = 'awaiting_approval'
          AND spend_id IN (SELECT spend_id FROM payment WHERE state = 'awaiting_approval' LIMIT 1)""");
    if (fixture.approvals.expireDue(10) > 0) {
      count("expired");
    }
  }

  private void assertThatNothingIsExceeded() {
    for (var wallet : List.of(fixture.wallet, other)) {
      assertThat(held("p.wallet_id = '" + wallet + "'")).isLessThanOrEqualTo(Fixture.units("100"));
    }
    assertThat(held("true")).isLessThanOrEqualTo(Fixture.units("150"));
    assertThat((Long) fixture.value("SELECT count(*) FROM payment p WHERE " + NOT_GIVEN_BACK)).isLessThanOrEqualTo(60);
  }

  private BigInteger held(String condition) {
    var sum = (BigDecimal) fixture.value("""
        SELECT coalesce(sum(s.amount), 0) FROM payment p JOIN spend s ON s.tenant_id = p.tenant_id AND s.spend_id = p.spend_id
        WHERE %s AND %s""".formatted(NOT_GIVEN_BACK, condition));
    return java.util.Objects.requireNonNull(sum).toBigIntegerExact();
  }
}
