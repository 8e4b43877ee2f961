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

  public final TestDatabase test = TestDatabase.create();
  public final Database database = test.database();
  public final AuditEntries audit = new AuditEntries(database);
  public final Directory directory = new Directory(database, audit);
  public final CounterKeeping counters = new CounterKeeping(database);
  public final PolicyStore policies = new PolicyStore(database, audit, counters);
  public final SpendStore spends = new SpendStore(database);
  public final Reservations reservations = new Reservations(database);
  public final Approvers approvers = new Approvers(database, audit);
  public final Approvals approvals = new Approvals(database, audit, spends, reservations, counters, false);
  public final Lanes lanes = new Lanes(database);

  public final UUID tenant = directory.createTenant("acme", "test").orElseThrow().id();
  public final UUID agent = directory.createAgent(tenant, "buyer", "test").id();
  public final Directory.RegisteredAsset usdc = directory
      .registerAsset(tenant, new Asset(CHAIN, address(0xa0), "USDC", 6, "USD"), "test").orElseThrow();
  public final UUID wallet = newWallet();

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

  @Override
  public void close() {
    test.close();
  }
}
