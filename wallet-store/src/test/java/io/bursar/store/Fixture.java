package io.bursar.store;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;

/** A tenant with an agent, a wallet and USDC, on a database of its own. */
public final class Fixture implements AutoCloseable {
  public static final String CHAIN = "eip155:31337";
  public static final Address PAYEE = address(0xbeef);

  public final TestDatabase test;
  public final Database database;
  public final AuditEntries audit;
  public final Directory directory;
  public final CounterKeeping counters;
  public final PolicyStore policies;
  public final SpendStore spends;
  public final Reservations reservations;
  public final Approvers approvers;
  public final Approvals approvals;
  public final Lanes lanes;

  public final UUID tenant;
  public final UUID agent;
  public final Directory.RegisteredAsset usdc;
  public final UUID wallet;

  public Fixture() {
    this(TestDatabase.create());
  }

  /** On a database that has no tenant yet. */
  public Fixture(TestDatabase test) {
    this.test = test;
    database = test.database();
    audit = new AuditEntries(database);
    directory = new Directory(database, audit);
    counters = new CounterKeeping(database);
    policies = new PolicyStore(database, audit, counters);
    spends = new SpendStore(database);
    reservations = new Reservations(database);
    approvers = new Approvers(database, audit);
    approvals = new Approvals(database, audit, spends, reservations, counters, false);
    lanes = new Lanes(database);
    tenant = directory.createTenant("acme", "test").orElseThrow().id();
    agent = directory.createAgent(tenant, "buyer", "test").id();
    usdc = directory.registerAsset(tenant, new Asset(CHAIN, address(0xa0), "USDC", 6, "USD"), "test").orElseThrow();
    wallet = newWallet();
  }

  public static Address address(int number) {
    var bytes = new byte[20];
    bytes[0] = 0x11;
    bytes[16] = (byte) (number >>> 24);
    bytes[17] = (byte) (number >>> 16);
    bytes[18] = (byte) (number >>> 8);
    bytes[19] = (byte) number;
    return Address.of(bytes);
  }

  public UUID newWallet() {
    return newWallet(agent);
  }

  public UUID newWallet(UUID ofAgent) {
    var id = UUID.randomUUID();
    return directory
        .createWallet(tenant, id, ofAgent, CHAIN, address(ThreadLocalRandom.current().nextInt()), "w", "test").id();
  }

  /** Publishes and attaches a policy given as JSON rules. */
  public PolicyStore.PolicyVersion attach(Policy.Target target, UUID targetId, String rules) {
    var document = json("{\"name\":\"p\",\"rules\":[" + rules + "]}");
    var draft = policies.create(tenant, "p", document, "test");
    policies.publish(tenant, draft.policyId(), draft.version(), "test");
    policies.attach(tenant, target, targetId, draft.policyId(), draft.version(), "test");
    return draft;
  }

  public static Json.Obj json(String text) {
    try {
      return (Json.Obj) JsonText.parse(text.getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      throw new IllegalArgumentException(text, e);
    }
  }

  public Spend.Request request(String key, String amount) {
    return request(wallet, key, amount, PAYEE);
  }

  public Spend.Request request(UUID fromWallet, String key, String amount, Address payee) {
    return new Spend.Request(agent, fromWallet, key,
        AuditEntries.leafHash((amount + payee).getBytes(StandardCharsets.UTF_8)), usdc,
        units(amount), payee, null, null, Spend.Text.NONE, null);
  }

  public static BigInteger units(String amount) {
    return Amount.parse(amount, 6);
  }

  public @Nullable Object value(String sql, Object... params) {
    return database.sql().sql(sql).params(List.of(params)).query().singleValue();
  }

  /** How many rows of payments and wallets have been found by indexes until now. */
  public long rowsRead() throws InterruptedException {
    tellWhatWasRead();
    return database.sql().sql("""
        SELECT sum(idx_tup_fetch)::bigint FROM pg_stat_user_tables
        WHERE relname IN ('payment', 'payment_attempt', 'payment_authorization', 'wallet')
        """).query(Long.class).single();
  }

  /** A connection tells what it has read once a second at the most, and when it is used. */
  public void tellWhatWasRead() throws InterruptedException {
    Thread.sleep(1_100);
    database.sql().sql("SELECT 1").query(Integer.class).single();
  }

  @Override
  public void close() {
    test.close();
  }
}
