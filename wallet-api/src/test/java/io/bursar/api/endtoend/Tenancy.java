package io.bursar.api.endtoend;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.AuditEntries;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Database;
import io.bursar.store.Directory;
import io.bursar.store.PolicyStore;

/** A tenant with one agent and wallets that need no signer, made straight in the database of the service under test. */
final class Tenancy {
  static final String CHAIN = "eip155:31337";
  static final String PERMIT = "{\"id\":\"any\",\"kind\":\"permit\"}";

  private final Directory directory;
  private final PolicyStore policies;
  private final CounterKeeping counters;
  final UUID tenantId;
  final UUID agentId;
  final String agentKey;
  final List<UUID> wallets = new ArrayList<>();

  Tenancy(Database database, int walletCount) {
    var audit = new AuditEntries(database);
    directory = new Directory(database, audit);
    counters = new CounterKeeping(database);
    policies = new PolicyStore(database, audit, counters);
    tenantId = directory.createTenant("t" + Long.toString(System.nanoTime(), 36), "test").orElseThrow().id();
    agentId = directory.createAgent(tenantId, "agent", "test").id();
    agentKey = new ApiKeys(database, audit).issue(tenantId, ApiKeys.Role.AGENT, "agent", agentId, null, "test").secret()
        .value();
    directory.registerAsset(tenantId, new Asset(CHAIN, randomAddress(), "USDC", 6, "USD"), "test").orElseThrow();
    for (int i = 0; i < walletCount; i++) {
      var id = UUID.randomUUID();
      directory.createWallet(tenantId, id, agentId, CHAIN, randomAddress(), "w" + i, "test");
      wallets.add(id);
    }
  }

  static Address randomAddress() {
    var bytes = new byte[Address.BYTES];
    ThreadLocalRandom.current().nextBytes(bytes);
    return Address.of(bytes);
  }

  void attach(Policy.Target target, UUID targetId, String rules) {
    try {
      var document = (Json.Obj) JsonText
          .parse(("{\"name\":\"p\",\"rules\":[" + rules + "]}").getBytes(StandardCharsets.UTF_8));
      var draft = policies.create(tenantId, "p", document, "test");
      policies.publish(tenantId, draft.policyId(), draft.version(), "test");
      policies.attach(tenantId, target, targetId, draft.policyId(), draft.version(), "test");
    } catch (JsonText.Malformed e) {
      throw new IllegalArgumentException(rules, e);
    }
  }

  Json spend(UUID wallet, String amount, Address to) {
    return Json.object().put("walletId", Id.WALLET.text(wallet)).put("asset", "USDC").put("amount", amount)
        .put("to", to.toString()).build();
  }

  /** Counters that do not equal a recount from the spends; there should be none. */
  List<String> differences() {
    return counters.differences(tenantId);
  }
}
