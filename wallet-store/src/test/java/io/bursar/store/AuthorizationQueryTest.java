package io.bursar.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import io.bursar.policy.Policy;
import io.bursar.store.AuthorizationQuery.Authorization;
import io.bursar.store.AuthorizationQuery.Filter;

/** What the auditor asks, over 25,000 decisions: the right ones, all of them, and by index. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AuthorizationQueryTest {
  private static final int MADE = 25_000;
  private static final Pattern WHOLE_TABLE = Pattern.compile("Seq Scan on (spend|payment|audit_entry|redecision)\\b");

  private static final Pattern SCANNED = Pattern.compile("Scan .*actual rows=([0-9.]+) loops=([0-9]+)");

  private final Fixture fixture = new Fixture();
  private final AuthorizationQuery query = new AuthorizationQuery(fixture.database);
  private final UUID otherAgent = fixture.directory.createAgent(fixture.tenant, "other", "test").id();
  private final UUID otherWallet = fixture.newWallet(otherAgent);
  private String version = "";
  private List<Authorization> everything = List.of();

  @BeforeAll
  void decide() throws Exception {
    version = fixture.attach(Policy.Target.WALLET, fixture.wallet, """
        {"id":"any","kind":"permit"},
        {"id":"each","kind":"limit","match":{"assets":["USDC"]},"max":"10","window":"spend"}""").version();
    var lane = fixture.lanes.open(fixture.tenant);
    lane.decide(List.of(fixture.request("a", "1"), fixture.request("b", "11"),
        fixture.request(fixture.wallet, "c", "2.5", Fixture.address(7))));
    lane.decide(List.of(new Spend.Request(otherAgent, otherWallet, "d", new byte[32], fixture.usdc,
        Fixture.units("3"), Fixture.PAYEE, null, null, new Spend.Text("=1+1", null, null), null)));
    ManySpends.multiply(fixture.test, "a", MADE, List.of(fixture.newWallet()));
    fixture.test
        .asAdministrator("UPDATE payment SET state = 'failed', failure = 'test', block_hash = null WHERE spend_id IN "
            + "(SELECT spend_id FROM spend WHERE idempotency_key IN ('c', '12000'))");
    fixture.test.asAdministrator(
        """
        INSERT INTO redecision (tenant_id, authorization_id, spend_id, wallet_id, effect, reason_codes, audit_seq, decided_at)
        SELECT tenant_id, uuidv7(), spend_id, wallet_id, 'deny', '{NO_PERMIT}', audit_seq, now() FROM spend WHERE idempotency_key = 'a'""");
    fixture.test.asAdministrator("ANALYZE");
    everything = all(Filter.ALL, 5_000);
  }

  @AfterAll
  void close() {
    fixture.close();
  }

  private List<Authorization> all(Filter filter, int limit) {
    var found = new ArrayList<Authorization>();
    Optional<UUID> after = Optional.empty();
    do {
      var page = query.page(fixture.tenant, filter, after, limit);
      found.addAll(page.items());
      after = page.nextAfter();
    } while (after.isPresent());
    return found;
  }

  private void finds(Filter filter, Predicate<Authorization> matches) {
    var expected = everything.stream().filter(matches).map(Authorization::id).toList();
    assertThat(expected).isNotEmpty();
    assertThat(all(filter, 500).stream().map(Authorization::id)).isEqualTo(expected);
    var newest = all(reversed(filter), 499).stream().map(Authorization::id).toList();
    assertThat(newest.reversed()).isEqualTo(expected);
  }

  private static Filter reversed(Filter f) {
    return new Filter(f.agentId(), f.walletId(), f.payee(), f.asset(), f.effect(), f.status(), f.reasonCode(),
        f.policyVersion(), f.from(), f.to(), f.amountFrom(), f.amountTo(), true);
  }

  /** A filter with these parts, by their position in the record. */
  private static Filter filter(Object... parts) {
    var all = new Object[12];
    java.util.Arrays.fill(all, Optional.empty());
    for (int i = 0; i < parts.length; i += 2) {
      all[(int) parts[i]] = Optional.of(parts[i + 1]);
    }
    try {
      var arguments = java.util.Arrays.copyOf(all, 13);
      arguments[12] = false;
      return (Filter) Filter.class.getDeclaredConstructors()[0].newInstance(arguments);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static final int AGENT = 0;
  private static final int WALLET = 1;
  private static final int PAYEE = 2;
  private static final int ASSET = 3;
  private static final int EFFECT = 4;
  private static final int STATUS = 5;
  private static final int REASON = 6;
  private static final int VERSION = 7;
  private static final int FROM = 8;
  private static final int TO = 9;
  private static final int LEAST = 10;
  private static final int MOST = 11;

  @Test
  void findsEveryDecisionOnceAndInOrder() {
    assertThat(everything).hasSize(MADE + 5);
    assertThat(everything.stream().map(Authorization::id).distinct()).hasSize(MADE + 5);
    assertThat(everything.stream().map(Authorization::at)).isSorted();
  }

  @Test
  void findsByEachFilterAndByTheirCombinations() {
    finds(filter(AGENT, fixture.agent), a -> a.request().agentId().equals(fixture.agent)); // over two wallets
    finds(filter(AGENT, otherAgent), a -> a.request().agentId().equals(otherAgent));
    finds(filter(AGENT, fixture.agent, EFFECT, "deny"), a -> a.effect().equals("deny")
        && a.request().agentId().equals(fixture.agent));
    finds(filter(WALLET, fixture.wallet), a -> a.request().walletId().equals(fixture.wallet));
    finds(filter(PAYEE, Fixture.address(7)), a -> a.request().payee().equals(Fixture.address(7)));
    finds(filter(ASSET, "USDC", LEAST, new BigDecimal("0.024")),
        a -> a.request().amount().longValue() >= 24_000);
    finds(filter(EFFECT, "deny"), a -> a.effect().equals("deny"));
    finds(filter(STATUS, "failed"), a -> a.status().equals("failed"));
    finds(filter(STATUS, "denied"), a -> a.status().equals("denied"));
    finds(filter(STATUS, "authorized"), a -> a.status().equals("authorized"));
    finds(filter(REASON, "LIMIT_EXCEEDED"), a -> a.reasonCodes().contains("LIMIT_EXCEEDED"));
    finds(filter(VERSION, version, WALLET, fixture.wallet), a -> a.request().walletId().equals(fixture.wallet));
    finds(filter(MOST, new BigDecimal("0.000007")), a -> a.request().amount().longValue() <= 7);
    var some = everything.get(13_000).at();
    finds(filter(FROM, some, TO, some.plus(Duration.ofSeconds(3))), a -> !a.at().isBefore(some)
        && a.at().isBefore(some.plus(Duration.ofSeconds(3))));
  }

  @Test
  void findsNothingWhereNothingIs() {
    assertThat(all(filter(ASSET, "EURC"), 500)).isEmpty();
    assertThat(all(filter(VERSION, "sha256:" + "0".repeat(64)), 500)).isEmpty();
    assertThat(all(filter(AGENT, UUID.randomUUID()), 500)).isEmpty();
    assertThat(query.list(fixture.directory.createTenant("stranger", "test").orElseThrow().id(), Filter.ALL,
        new Page.Request(Optional.empty(), 50)).items()).isEmpty();
  }

  /** The one that matches is 25,000 decisions away: a page looks at 20,000 and says where to go on. */
  @Test
  void endsAPageEarlyWhenItHasLookedAtEnough() {
    var filter = reversed(filter(MOST, new BigDecimal("0.000001")));
    var first = query.page(fixture.tenant, filter, Optional.empty(), 50);
    assertThat(first.items()).isEmpty();
    assertThat(first.nextAfter()).isPresent();
    assertThat(all(filter, 50)).hasSize(1);
  }

  @Test
  void readsNoWholeTableForAnyFilter() {
    var day = Instant.now().minus(Duration.ofDays(1));
    for (var filter : List.of(Filter.ALL, filter(AGENT, fixture.agent), filter(WALLET, fixture.wallet),
        filter(PAYEE, Fixture.PAYEE), filter(ASSET, "USDC"), filter(EFFECT, "allow"), filter(EFFECT, "deny"),
        filter(STATUS, "failed"), filter(STATUS, "confirmed"), filter(STATUS, "authorized"), filter(STATUS, "denied"),
        filter(REASON, "NO_PERMIT"), filter(VERSION, version), filter(FROM, day), filter(TO, day),
        filter(LEAST, BigDecimal.ONE), filter(MOST, BigDecimal.ONE))) {
      for (var asked : List.of(filter, reversed(filter))) {
        var search = AuthorizationSearch
            .of(fixture.database, fixture.tenant, asked, Optional.of(everything.getLast().id()),
                50)
            .orElseThrow();
        var statements = new ArrayList<>(search.horizons());
        statements.add(search.page());
        for (var statement : statements) {
          var plan = fixture.database.reading().sql("EXPLAIN " + statement).params(search.params())
              .query((row, n) -> row.getString(1)).list();
          assertThat(plan).as("%s in %s", asked, String.join("\n", plan))
              .noneMatch(line -> WHOLE_TABLE.matcher(line).find());
        }
      }
    }
    var plan = String.join("\n", plan(filter(PAYEE, Fixture.PAYEE)));
    assertThat(plan).contains("spend_by_payee");
    assertThat(String.join("\n", plan(filter(EFFECT, "deny")))).contains("spend_restricted");
    assertThat(String.join("\n", plan(filter(AGENT, fixture.agent)))).contains("spend_by_wallet");
  }

  /** An agent's page does not grow with what the agent has, nor with what others have had decided again. */
  @Test
  void readsNoMoreOfAnAgentsDecisionsThanThePageShows() {
    var search = AuthorizationSearch
        .of(fixture.database, fixture.tenant, reversed(filter(AGENT, fixture.agent)), Optional.empty(), 50)
        .orElseThrow();
    var plan = fixture.database.reading().sql("EXPLAIN (ANALYZE, TIMING OFF) " + search.page()).params(search.params())
        .query((row, n) -> row.getString(1)).list();
    double most = plan.stream().map(SCANNED::matcher).filter(Matcher::find)
        .mapToDouble(scan -> Double.parseDouble(scan.group(1)) * Integer.parseInt(scan.group(2))).max().orElse(0);
    assertThat(most).as(String.join("\n", plan)).isBetween(50., 60.);
    assertThat(String.join("\n", plan)).contains("redecision_by_wallet");
  }

  private List<String> plan(Filter filter) {
    var search = AuthorizationSearch.of(fixture.database, fixture.tenant, filter, Optional.empty(), 50).orElseThrow();
    return fixture.database.reading().sql("EXPLAIN " + search.page()).params(search.params())
        .query((row, n) -> row.getString(1)).list();
  }
}
