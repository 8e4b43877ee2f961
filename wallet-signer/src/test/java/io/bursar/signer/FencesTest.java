package io.bursar.signer;

import static io.bursar.signer.Fixtures.refusal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.Intent;
import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.Frozen;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Freeze;
import io.bursar.permit.SignerRequest.Health;
import io.bursar.permit.SignerRequest.IsFrozen;
import io.bursar.permit.SignerRequest.Lift;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/** What the signer does not do whatever the API asks, once, often, or after a restart. */
class FencesTest {
  private static final UUID KEY = new UUID(1, 1);
  private static final UUID SECOND = new UUID(2, 2);
  private static final UUID FOREIGN = new UUID(3, 3);
  /** Of a token with 6 decimals: 100 at once, 250 in an hour for a key, 300 in a day for a tenant. */
  private static final String CEILINGS = """
      {"assets": [{"chain": "eip155:8453", "contract": "%s", "symbol": "USDC", "decimals": 6, "currency": "USD"}],
       "key": {"name": "key", "rules": [{"id": "any", "kind": "permit"},
         {"id": "one", "kind": "limit", "match": {"currency": "USD"}, "max": "100", "window": "spend"},
         {"id": "hour", "kind": "limit", "match": {"currency": "USD"}, "max": "250",
          "window": {"rolling": "PT1H"}}]},
       "tenant": {"name": "tenant", "rules": [{"id": "any", "kind": "permit"},
         {"id": "day", "kind": "limit", "match": {"currency": "USD"}, "max": "300",
          "window": {"rolling": "PT24H"}}]}}""".formatted(Fixtures.TOKEN);

  @TempDir
  Path directory = Path.of(".");
  private final Fixtures.TestClock clock = new Fixtures.TestClock();
  private RateAlarm.Bounds bounds = new RateAlarm.Bounds(1_000_000, 1_000_000);
  private Ceilings ceilings = Ceilings.parse(CEILINGS.getBytes(StandardCharsets.UTF_8));
  private @Nullable Signer signer;
  private @Nullable Fences fences;
  private Address address = Fixtures.PAYEE;
  private long nonce;

  @BeforeEach
  void start() throws IOException {
    var keystore = Keystore.open(directory.resolve("keys"), Fixtures.keks(), new BouncyCastleSecp256k1());
    fences = Fixtures.fences(directory,
        Journal.open(directory.resolve("journal"), Optional.empty(), ceilings, clock.instant()), bounds);
    signer = new Signer(Fixtures.permits(clock), keystore, fences, Fixtures.log(directory, false), Fixtures.HEALTHY);
    address = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, KEY))).address();
  }

  @AfterEach
  void stop() throws IOException {
    Objects.requireNonNull(fences).close();
  }

  private void restart() throws IOException {
    stop();
    start();
  }

  private Sign transfer(UUID key, UUID tenant, Address from, long amount) {
    var intent = new TransferIntent(tenant, new UUID(nonce, 5), new NonceSlot(8453, key, nonce++), from,
        new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.valueOf(amount)),
        Fixtures.gas(90_000, 1_500_000_000L, 1_000_000));
    return request(intent);
  }

  private Sign request(TransferIntent intent) {
    return new Sign(Fixtures.permit(intent, clock.instant()).sign(Fixtures.PERMIT_KEYS.getPrivate()),
        Bytes.of(intent.encode()));
  }

  private SignerReply pay(long amount) {
    return ask(transfer(KEY, Fixtures.TENANT, address, amount));
  }

  private SignerReply ask(SignerRequest request) {
    return Objects.requireNonNull(signer)
        .answer(Objects.requireNonNull(SignerFrame.take(SignerFrame.encode(request))));
  }

  private static void assertRefused(SignerReply reply, SignerRefusal reason) {
    assertThat(refusal(reply)).as("%s", reply).contains(reason);
  }

  @Test
  void aCeilingHoldsToTheBaseUnitOverRestartsAndOpensAgainWithItsWindow() throws Exception {
    assertRefused(pay(100_000_001), SignerRefusal.OVER_CEILING);
    assertThat(pay(100_000_000)).isInstanceOf(Signed.class);
    assertThat(pay(100_000_000)).isInstanceOf(Signed.class);
    restart();
    assertRefused(pay(50_000_001), SignerRefusal.OVER_CEILING);
    assertThat(pay(50_000_000)).isInstanceOf(Signed.class);
    assertRefused(pay(1), SignerRefusal.OVER_CEILING);
    clock.set(Fixtures.NOW.plus(Duration.ofMinutes(59)));
    assertRefused(pay(1), SignerRefusal.OVER_CEILING);
    clock.set(Fixtures.NOW.plus(Duration.ofMinutes(62)));
    assertThat(pay(50_000_000)).isInstanceOf(Signed.class);
    assertRefused(pay(1), SignerRefusal.OVER_CEILING); // of the tenant's day
  }

  @Test
  void oneTenantsKeysShareItsCeilingAndAnotherTenantHasItsOwn() {
    var second = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, SECOND))).address();
    var foreign = ((KeyCreated) ask(new CreateKey(Fixtures.OTHER_TENANT, FOREIGN))).address();
    pay(100_000_000);
    pay(100_000_000);
    assertThat(ask(transfer(SECOND, Fixtures.TENANT, second, 100_000_000))).isInstanceOf(Signed.class);
    assertRefused(ask(transfer(SECOND, Fixtures.TENANT, second, 1)), SignerRefusal.OVER_CEILING);
    assertRefused(pay(1), SignerRefusal.OVER_CEILING);
    assertThat(ask(transfer(FOREIGN, Fixtures.OTHER_TENANT, foreign, 1))).isInstanceOf(Signed.class);
  }

  @Test
  void aClockThatGoesBackMakesNoRoom() {
    pay(100_000_000);
    pay(100_000_000);
    pay(50_000_000);
    clock.set(Fixtures.NOW.minus(Duration.ofHours(5)));
    assertRefused(pay(1), SignerRefusal.OVER_CEILING);
  }

  @Test
  void aReplacementTakesNothingMoreAndAnUnlistedTokenIsNobodys() {
    var request = transfer(KEY, Fixtures.TENANT, address, 100_000_000);
    var intent = (TransferIntent) Intent.decode(request.intent().toByteArray());
    for (int fee = 1; fee < 5; fee++) {
      assertThat(ask(request(new TransferIntent(intent.tenantId(), intent.spendId(), intent.slot(), address,
          intent.transfer(), Fixtures.gas(90_000, 1_500_000_000L * fee, 1_000_000))))).isInstanceOf(Signed.class);
    }
    pay(100_000_000);
    assertThat(pay(50_000_000)).isInstanceOf(Signed.class);
    for (var slot : List.of(new NonceSlot(1, KEY, 77), new NonceSlot(8453, KEY, 77))) {
      assertRefused(ask(request(new TransferIntent(Fixtures.TENANT, new UUID(77, 5), slot, address,
          new Transfer(slot.chainId() == 1 ? Fixtures.TOKEN : Fixtures.PAYEE, Address.parse("0x" + "12".repeat(20)),
              BigInteger.ONE),
          intent.gas()))), SignerRefusal.OVER_CEILING);
    }
  }

  @Test
  void rivalsInOneMomentNeverPassACeilingTogether() throws Exception {
    long seed = 17;
    var random = new Random(seed);
    var tasks = new ArrayList<Callable<Long>>();
    for (int i = 0; i < 200; i++) {
      long amount = 1 + random.nextLong(5_000_000);
      var request = transfer(KEY, Fixtures.TENANT, address, amount);
      tasks.add(() -> ask(request) instanceof Signed ? amount : 0L);
    }
    long sum = 0;
    try (var threads = Executors.newFixedThreadPool(16)) {
      for (var result : threads.invokeAll(tasks)) {
        sum += result.get();
      }
    }
    assertThat(sum).as("seed %d", seed).isBetween(245_000_000L, 250_000_000L);
  }

  @Test
  void aLineOfTheCeilingsAsksForPeopleWhateverWasDecided() throws Exception {
    ceilings = Ceilings.parse(CEILINGS.replace("{\"id\": \"one\"", """
        {"id": "people", "kind": "approval", "match": {"currency": "USD", "amount": {"above": "10"}},
         "groups": [{"group": "finance", "threshold": 1}]}, {"id": "one\"""").getBytes(StandardCharsets.UTF_8));
    restart();
    assertThat(pay(10_000_000)).isInstanceOf(Signed.class);
    assertRefused(pay(10_000_001), SignerRefusal.APPROVALS_MISSING);
  }

  @Test
  void ceilingsThatCannotHoldAreRefusedWithWhatIsWrong() {
    for (var wrong : List.of("[]", "{}", CEILINGS.replace("\"key\"", "\"kay\""),
        CEILINGS.replace("\"spend\"", "\"spent\""),
        CEILINGS.replace("\"decimals\": 6", "\"decimals\": 19"),
        CEILINGS.replace("\"name\": \"key\"", "\"name\": \"key\", \"mode\": \"observe\""),
        CEILINGS.replace("\"tenant\": {", "\"keys\": {\"wal_1\": {}}, \"tenant\": {"))) {
      assertThatIllegalArgumentException().as(wrong)
          .isThrownBy(() -> Ceilings.parse(wrong.getBytes(StandardCharsets.UTF_8)));
    }
  }

  @Test
  void aFreezeHoldsItsScopeAtOnceAndOverRestartsUntilTheOperatorLiftsIt() throws Exception {
    var second = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, SECOND))).address();
    for (FreezeScope scope : List.of(new FreezeScope.Key(KEY), new FreezeScope.Tenant(Fixtures.TENANT),
        new FreezeScope.All())) {
      assertThat(pay(1)).isInstanceOf(Signed.class);
      var before = transfer(KEY, Fixtures.TENANT, address, 1);
      assertThat(ask(new Freeze(scope, "a\nreason"))).isEqualTo(new Frozen(scope, true));
      for (int round = 0; round < 2; round++) {
        assertThat(ask(new IsFrozen(Fixtures.TENANT, KEY))).isEqualTo(new Frozen(scope, true));
        assertRefused(ask(before), SignerRefusal.KEY_FROZEN);
        assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
        assertThat(ask(transfer(SECOND, Fixtures.TENANT, second, 1)) instanceof Signed)
            .isEqualTo(scope instanceof FreezeScope.Key);
        assertRefused(ask(new Lift(scope, Bytes.of(new byte[32]))), SignerRefusal.NOT_LIFTED);
        restart();
      }
      assertThat(((Healthy) ask(new Health())).hardening()).contains(
          scope instanceof FreezeScope.All ? "frozen=all" : "frozen=1");
      assertThat(ask(new Lift(scope, Bytes.of(Fixtures.OPERATOR_KEY)))).isEqualTo(new Frozen(scope, false));
      restart();
    }
    assertThat(ask(new IsFrozen(Fixtures.TENANT, KEY))).isEqualTo(new Frozen(new FreezeScope.Key(KEY), false));
    assertRefused(ask(new Freeze(new FreezeScope.Key(UUID.randomUUID()), "")), SignerRefusal.UNKNOWN_KEY);
  }

  @Test
  void aHoldOfTheServiceIsTakenBackByTheServiceAndLeavesTheFreezeOfTheOperator() throws Exception {
    var hold = new FreezeScope.Hold(KEY);
    var key = new FreezeScope.Key(KEY);
    assertThat(ask(new Freeze(hold, "an admin"))).isEqualTo(new Frozen(hold, true));
    restart();
    assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
    assertThat(ask(new Freeze(key, "the operator"))).isEqualTo(new Frozen(key, true));
    assertThat(ask(new Lift(hold, Bytes.of(new byte[32])))).isEqualTo(new Frozen(hold, false));
    restart();
    assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
    assertThat(ask(new Lift(key, Bytes.of(Fixtures.OPERATOR_KEY)))).isEqualTo(new Frozen(key, false));
    assertThat(pay(1)).isInstanceOf(Signed.class);
    assertRefused(ask(new Freeze(new FreezeScope.Hold(UUID.randomUUID()), "")), SignerRefusal.UNKNOWN_KEY);
  }

  @Test
  void aFloodOfRequestsFreezesItsKeyAndNoOther() throws Exception {
    bounds = new RateAlarm.Bounds(20, 1_000_000);
    restart();
    var second = ((KeyCreated) ask(new CreateKey(Fixtures.TENANT, SECOND))).address();
    for (int i = 0; i < 20; i++) {
      assertThat(pay(1)).isInstanceOf(Signed.class);
    }
    clock.set(clock.instant().plusSeconds(1));
    for (int i = 0; i < 20; i++) {
      assertThat(pay(1)).isInstanceOf(Signed.class);
    }
    assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
    clock.set(clock.instant().plusSeconds(10));
    assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
    assertThat(ask(transfer(SECOND, Fixtures.TENANT, second, 1))).isInstanceOf(Signed.class);
  }

  @Test
  void refusalsAboveTheBoundFreezeTheKey() throws Exception {
    bounds = new RateAlarm.Bounds(1_000_000, 5);
    restart();
    for (int i = 0; i < 6; i++) {
      assertThat(((Healthy) ask(new Health())).hardening()).contains("frozen=0");
      assertRefused(pay(100_000_001), SignerRefusal.OVER_CEILING);
    }
    assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
  }

  @Test
  void aClockThatIsWrongFreezesNoKey() throws Exception {
    bounds = new RateAlarm.Bounds(1_000_000, 5);
    restart();
    var request = transfer(KEY, Fixtures.TENANT, address, 1);
    var before = clock.instant();
    for (int i = 0; i < 10; i++) {
      clock.set(before.plusSeconds(120));
      assertRefused(ask(request), SignerRefusal.PERMIT_EXPIRED);
      clock.set(before.minusSeconds(120));
      assertRefused(ask(request), SignerRefusal.PERMIT_NOT_YET_VALID);
    }
    clock.set(before);
    assertThat(ask(request)).isInstanceOf(Signed.class);
  }

  @Test
  @Timeout(20)
  void whatAFreezeOvertakesOnItsWayToTheDiskIsNotGivenOut() throws Exception {
    var channel = onFaultyDisk();
    assertThat(pay(1)).isInstanceOf(Signed.class); // makes room for the next, so that the first write of that is its record
    var gate = channel.hold();
    try (var threads = Executors.newFixedThreadPool(2)) {
      try {
        var payment = threads.submit(() -> pay(1));
        while (channel.held() == 0) {
          Thread.sleep(1);
        }
        var freeze = threads.submit(() -> ask(new Freeze(new FreezeScope.Key(KEY), "now")));
        while (ask(new IsFrozen(Fixtures.TENANT, KEY)).equals(new Frozen(new FreezeScope.Key(KEY), false))) {
          Thread.sleep(1);
        }
        gate.release(2);
        assertRefused(payment.get(), SignerRefusal.KEY_FROZEN);
        assertThat(freeze.get()).isInstanceOf(Frozen.class);
      } finally {
        gate.release(10);
      }
    }
  }

  @Test
  void aFreezeHoldsAlsoWhereTheDiskIsFull() throws Exception {
    var channel = onFaultyDisk();
    channel.fail(FaultyChannel.Fault.FULL);
    assertRefused(ask(new Freeze(new FreezeScope.All(), "now")), SignerRefusal.UNAVAILABLE);
    channel.heal();
    assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
    assertThat(ask(new Freeze(new FreezeScope.All(), "now"))).isInstanceOf(Frozen.class);
    restart();
    assertRefused(pay(1), SignerRefusal.KEY_FROZEN);
  }

  /** The same signer, on a disk that can be told what to do. */
  private FaultyChannel onFaultyDisk() throws Exception {
    stop();
    var channel = new FaultyChannel(SafeFiles.open(directory.resolve("journal")));
    fences = Fixtures.fences(directory, Fixtures.journal(directory.resolve("journal"), channel, clock.instant()));
    signer = new Signer(Fixtures.permits(clock),
        Keystore.open(directory.resolve("keys"), Fixtures.keks(), new BouncyCastleSecp256k1()), fences,
        Fixtures.log(directory, false), Fixtures.HEALTHY);
    return channel;
  }
}
