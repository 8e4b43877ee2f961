package io.bursar.api.simulation;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import io.bursar.api.chain.FeePolicy;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.permit.PermitKeys;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.policy.Policy;
import io.bursar.signer.SignerInProcess;
import io.bursar.store.AuditEntries;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Directory;
import io.bursar.store.Fixture;
import io.bursar.store.PolicyStore;
import io.bursar.store.RelayedPayment;
import io.bursar.store.Relayer;
import io.bursar.store.SettlementModes;
import io.bursar.store.Spend;

/** One seed's world: a tenant with wallets and limits of its own, a chain, a signer, and what may go wrong. */
final class World implements AutoCloseable {
  static final String CHAIN = "eip155:31337";
  static final FeePolicy FEES = new FeePolicy(SimulatedChain.GWEI.multiply(BigInteger.valueOf(200)),
      SimulatedChain.GWEI.multiply(BigInteger.valueOf(50)), BigInteger.TEN.pow(6), 200_000);
  static final int MINUTE_MAX = 12;
  static final int DAY_MAX = 40;
  private static final int WALLETS_MAX = 3;
  private static final int RELAYERS = 2;
  private static final RelayedPayment.Token TOKEN = new RelayedPayment.Token("USD Coin", "2");

  private final Stage stage;
  private final Chance chance;
  private final SimulatedTime time;
  private final SimulatedChain chain;
  private final SimulatedNode node;
  private final SignerInProcess signer;
  private final PrivateKey permitKey;
  private final Path tiles;
  private final int rate;
  private final int confirmations;
  private final int unconfirmedMax;
  private final List<String> findings = new ArrayList<>();
  private final UUID tenant;
  private final UUID agent;
  private final Directory.RegisteredAsset asset;
  private final List<UUID> wallets = new ArrayList<>();
  private final List<Address> addresses = new ArrayList<>();
  private final List<Relayer> relayers = new ArrayList<>();
  private final Duration validFor;
  private final Set<UUID> relayed = new HashSet<>();
  private int wishes;
  private boolean dirty = true;
  private volatile boolean written = true;

  World(long seed, Stage stage) {
    this.stage = stage;
    chance = new Chance(seed);
    rate = 40 * (1 + chance.below(5));
    confirmations = chance.percent(20) ? 1 : 2 + chance.below(7);
    unconfirmedMax = 1 + chance.below(6);
    time = new SimulatedTime(stage.connection());
    time.publish();
    var contract = Fixture.address(0xa0);
    chain = new SimulatedChain(chance,
        Action.Token.of(contract, TOKEN.name(), TOKEN.version(), Asset.chainId(CHAIN)));
    try {
      tiles = Files.createTempDirectory(stage.directory(), "tiles-");
      signer = new SignerInProcess(stage.directory());
      permitKey = PermitKeys.parsePrivate(Files.readString(signer.permitKey()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    signer.start();
    var audit = new AuditEntries(stage.observer());
    var directory = new Directory(stage.observer(), audit);
    tenant = directory.createTenant("t" + UUID.randomUUID(), "test").orElseThrow().id();
    agent = directory.createAgent(tenant, "agent", "test").id();
    asset = directory.registerAsset(tenant, new Asset(CHAIN, contract, "USDC", 6, "USD"), "test")
        .orElseThrow();
    node = new SimulatedNode(chain, chance, asset.asset().contract(), 2 * rate);
    attachLimits(new PolicyStore(stage.observer(), audit, new CounterKeeping(stage.observer())));
    validFor = chance.between(Duration.ofSeconds(90), Duration.ofMinutes(10));
    makeKeys(directory);
    if (chance.percent(60)) {
      relay(new SettlementModes(stage.observer(), audit));
    }
    InterruptedDatabase.interruptedBy(this);
  }

  private void attachLimits(PolicyStore policies) {
    var limit = """
        {"id":"%s","kind":"limit","match":{"assets":["USDC"]},"max":"%d","window":{"rolling":"%s"}}""";
    var rules = "{\"id\":\"any\",\"kind\":\"permit\"}," + limit.formatted("minute", MINUTE_MAX, "PT1M") + ","
        + limit.formatted("day", DAY_MAX, "PT24H");
    var draft = policies.create(tenant, "p", Fixture.json("{\"name\":\"p\",\"rules\":[" + rules + "]}"), "test");
    policies.publish(tenant, draft.policyId(), draft.version(), "test");
    policies.attach(tenant, Policy.Target.TENANT, tenant, draft.policyId(), draft.version(), "test");
  }

  private void makeKeys(Directory directory) {
    var client = new SignerClient(signer.socket(), 1, Duration.ofSeconds(60));
    try (client) {
      int count = 1 + chance.below(WALLETS_MAX);
      for (int i = 0; i < count; i++) {
        var id = new UUID(chance.number(), chance.number());
        var address = makeKey(client, tenant, id);
        directory.createWallet(tenant, id, agent, CHAIN, address, "w" + i, "test");
        chain.fund(address, Fixture.units("1000"));
        wallets.add(id);
        addresses.add(address);
      }
      for (int i = 0; i < RELAYERS; i++) {
        var id = new UUID(chance.number(), chance.number());
        relayers.add(new Relayer(CHAIN, id, makeKey(client, RelayIntent.TENANT, id)));
      }
    } catch (SignerUnreachable e) {
      throw new IllegalStateException(e);
    }
  }

  private static Address makeKey(SignerClient client, UUID owner, UUID id) throws SignerUnreachable {
    if (client.ask(new SignerRequest.CreateKey(owner, id)) instanceof SignerReply.KeyCreated(var _, var address)) {
      return address;
    }
    throw new IllegalStateException("the signer made no key");
  }

  /** Wallets sign authorizations, all of them or only some. */
  private void relay(SettlementModes modes) {
    modes.relay(tenant, asset.id(), TOKEN, "test");
    for (var wallet : wallets) {
      if (chance.percent(75)) {
        relayed.add(wallet);
      } else {
        modes.setWallet(tenant, wallet, Optional.of(SettlementModes.Mode.DIRECT), "test");
      }
    }
  }

  /** Another payment that a client wants: some have a deadline, and some of the payees will be refused by the token. */
  Wish wish() {
    var payee = Fixture.address(0x10_0000 + wishes);
    var amount = Integer.toString(1 + chance.below(5));
    if (chance.percent(6)) {
      chain.refuse(payee);
    }
    var deadline = chance.percent(20)
        ? time.now().plus(chance.between(Duration.ofSeconds(1), Duration.ofMinutes(2)))
        : null;
    return new Wish(new Spend.Request(agent, chance.one(wallets), "wish-" + wishes++,
        AuditEntries.leafHash((amount + payee).getBytes(StandardCharsets.UTF_8)), asset, Fixture.units(amount), payee,
        null, null, chance.percent(30) ? new Spend.Text("p", null, Json.object().build()) : Spend.Text.NONE, deadline));
  }

  /** Between two statements, or right before a transaction ends: {@code abort} undoes what it has done. */
  void within(Actor actor, Runnable abort) throws InterruptedDatabase.Injected {
    if (chance.strikes(Fault.PROCESS_KILLED, rate / 8)) {
      abort.run();
      throw actor.die();
    }
    if (chance.strikes(Fault.DATABASE_FAILED, rate / 4)) {
      abort.run();
      throw new InterruptedDatabase.Injected("canceling statement due to statement timeout", "57014");
    }
  }

  /** Right after a transaction or a statement of its own. */
  void committed(Actor actor) throws InterruptedDatabase.Injected {
    dirty = true;
    mayDie(actor);
    if (chance.strikes(Fault.DATABASE_ANSWER_LOST, rate / 8)) {
      throw new InterruptedDatabase.Injected("the connection is lost", "40003");
    }
  }

  void mayDie(Actor actor) {
    actor.requireAlive();
    if (chance.strikes(Fault.PROCESS_KILLED, rate / 4)) {
      throw actor.die();
    }
  }

  /** Something may have been written that the invariants have not seen. */
  void wrote() {
    written = true;
  }

  /** Whether anything may have been written since this was last asked. */
  boolean written() {
    boolean was = written;
    written = false;
    return was;
  }

  /** Whether a transaction has ended since this was last asked. */
  boolean changed() {
    boolean was = dirty;
    dirty = false;
    return was;
  }

  void restartSigner() {
    signer.stop();
    signer.start();
  }

  /** Notes what must not be. */
  void find(String finding) {
    findings.add(finding);
  }

  List<String> findings() {
    return findings;
  }

  Chance chance() {
    return chance;
  }

  SimulatedTime time() {
    return time;
  }

  SimulatedChain chain() {
    return chain;
  }

  SimulatedNode node() {
    return node;
  }

  SignerInProcess signer() {
    return signer;
  }

  PrivateKey permitKey() {
    return permitKey;
  }

  Path tiles() {
    return tiles;
  }

  UUID tenant() {
    return tenant;
  }

  /** Who takes authorizations to the chain, and pays the gas. */
  List<Relayer> relayers() {
    return relayers;
  }

  /** Whether a wallet signs authorizations. */
  boolean isRelayed(UUID wallet) {
    return relayed.contains(wallet);
  }

  /** Whether any wallet does. */
  boolean isRelayed() {
    return !relayed.isEmpty();
  }

  /** How long an authorization is good. */
  Duration validFor() {
    return validFor;
  }

  List<Address> addresses() {
    return addresses;
  }

  /** How often a fault strikes where it can, in ten thousand. */
  int rate() {
    return rate;
  }

  int confirmations() {
    return confirmations;
  }

  int unconfirmedMax() {
    return unconfirmedMax;
  }

  /** Leaves nothing behind that a later world's processes would work on. */
  @Override
  public void close() {
    stage.observer().sql().sql("""
        UPDATE payment SET state = 'failed', failure = 'its world has ended' WHERE tenant_id = :tenant
          AND state IN ('authorized', 'prepared', 'signed', 'broadcast')
        """).param("tenant", tenant).update();
    signer.close();
  }
}
