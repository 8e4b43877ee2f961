package io.bursar.permit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.money.Address;
import io.bursar.permit.Authorization.Domain;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/** Authorizations, and batches of them, as bytes. */
class RelayIntentTest {
  private static final Domain DOMAIN = new Domain(8453, "USD Coin", "2");
  private static final Address TOKEN = Address.parse("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913");

  @Test
  void decodesWhatItEncodedAndNothingOfAnotherLength() {
    long seed = 31;
    var random = new Random(seed);
    for (int i = 0; i < 200; i++) {
      var authorization = new AuthorizationIntent(uuid(random), uuid(random), uuid(random),
          random(random, DOMAIN, TOKEN));
      var batch = batch(random, 1 + random.nextInt(RelayIntent.ITEMS_MAX));
      var cancel = new CancelAuthorizationIntent(uuid(random), uuid(random), uuid(random),
          AuthorizationCancellation.of(random(random, DOMAIN, TOKEN)));
      for (Intent intent : List.of(authorization, batch, cancel, canceling(random, batch), refill(random))) {
        var bytes = intent.encode();
        assertThat(Intent.decode(bytes)).as("seed %d, round %d", seed, i).isEqualTo(intent);
        for (int length : new int[]{bytes.length - 1, bytes.length + 1, random.nextInt(bytes.length)}) {
          var other = Arrays.copyOf(bytes, length);
          assertThatIllegalArgumentException().as("seed %d, round %d", seed, i).isThrownBy(() -> Intent.decode(other));
        }
      }
    }
  }

  @Test
  void everyFlippedBitIsAnotherIntentOrNone() {
    var random = new Random(32);
    var authorization = new AuthorizationIntent(uuid(random), uuid(random), uuid(random),
        random(random, DOMAIN, TOKEN));
    var cancel = new CancelAuthorizationIntent(uuid(random), uuid(random), uuid(random),
        AuthorizationCancellation.of(random(random, DOMAIN, TOKEN)));
    for (Intent intent : List.of(authorization, cancel, batch(random, 2), canceling(random, batch(random, 2)),
        refill(random))) {
      var bytes = intent.encode();
      for (int bit = 0; bit < 8 * bytes.length; bit++) {
        var altered = bytes.clone();
        altered[bit / 8] ^= (byte) (1 << bit % 8);
        try {
          assertThat(Intent.decode(altered)).as("bit %d", bit).isNotEqualTo(intent);
        } catch (IllegalArgumentException refused) {
          assertThat(refused).hasMessageNotContaining("\n");
        }
      }
    }
  }

  @Test
  void aBatchOfPaymentsAloneHasOneFormAndKeepsIt() {
    var batch = batch(new Random(35), 1);
    var bytes = batch.encode();
    assertThat(bytes[1]).isEqualTo((byte) 3);
    int items = bytes.length - (16 + 20 + 20 + 32 + 8 + 32 + 65);
    var mixed = new byte[bytes.length + 1];
    System.arraycopy(bytes, 0, mixed, 0, items);
    mixed[1] = 6;
    mixed[items] = 1;
    System.arraycopy(bytes, items, mixed, items + 1, bytes.length - items);
    assertThatIllegalArgumentException().isThrownBy(() -> Intent.decode(mixed)).withMessageContaining("of kind 3");
  }

  @Test
  void theLargestBatchAndItsTransactionFitAFrame() {
    var batch = batch(new Random(33), RelayIntent.ITEMS_MAX);
    assertThat(batch.encode().length).isLessThan(1 << 16);
  }

  @Test
  void refusesAMixedAnEmptyAndATooLargeBatchAndARelayersPayment() {
    var random = new Random(34);
    var good = batch(random, 1);
    var otherToken = item(random, DOMAIN, good.from());
    var otherName = item(random, new Domain(8453, "USD coin", "2"), TOKEN);
    assertThatIllegalArgumentException().isThrownBy(() -> with(good, good.slot(), List.of()));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> with(good, good.slot(), Collections.nCopies(101, good.items().getFirst())));
    for (var other : List.of(otherToken, otherName)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> with(good, good.slot(), List.of(good.items().getFirst(), other)));
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> with(good, new NonceSlot(1, good.slot().keyId(), 0), good.items()));
    assertThatIllegalArgumentException().isThrownBy(
        () -> new AuthorizationIntent(RelayIntent.TENANT, uuid(random), uuid(random), random(random, DOMAIN, TOKEN)));
    assertThatIllegalArgumentException().isThrownBy(() -> new CancelAuthorizationIntent(RelayIntent.TENANT,
        uuid(random), uuid(random), AuthorizationCancellation.of(random(random, DOMAIN, TOKEN))));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TransferIntent(RelayIntent.TENANT, uuid(random), good.slot(),
            good.from(), random(random, DOMAIN, TOKEN).transfer(),
            new Gas(21_000, BigInteger.ONE, BigInteger.ONE)));
  }

  @Test
  void refusesARefillOfNothingOfTooMuchAndOfTheGiver() {
    var good = refill(new Random(36));
    assertThat(good.encode()).hasSize(154);
    var most = BigInteger.TWO.pow(128);
    for (var wei : List.of(BigInteger.ZERO, BigInteger.ONE.negate(), most)) {
      assertThatIllegalArgumentException().isThrownBy(() -> with(good, good.to(), wei))
          .withMessageContaining("1 to 2^128 - 1 wei");
    }
    assertThat(Intent.decode(with(good, good.to(), most.subtract(BigInteger.ONE)).encode())).isNotEqualTo(good);
    for (var giver : List.of(new RefillIntent.Receiver(good.keyId(), good.to().address()),
        new RefillIntent.Receiver(good.to().keyId(), good.from()))) {
      assertThatIllegalArgumentException().isThrownBy(() -> with(good, giver, good.wei()))
          .withMessageContaining("not itself");
    }
  }

  private static RefillIntent with(RefillIntent refill, RefillIntent.Receiver to, BigInteger wei) {
    return new RefillIntent(refill.refillId(), refill.slot(), refill.from(), to, wei, refill.gas());
  }

  private static RefillIntent refill(Random random) {
    return new RefillIntent(uuid(random), new NonceSlot(8453, uuid(random), random.nextLong(Long.MAX_VALUE)),
        Address.of(bytes(random, 20)), new RefillIntent.Receiver(uuid(random), Address.of(bytes(random, 20))),
        new BigInteger(127, random).add(BigInteger.ONE), new Gas(100_000, BigInteger.TEN, BigInteger.ONE));
  }

  private static RelayIntent with(RelayIntent batch, NonceSlot slot, List<RelayIntent.Item> items) {
    return new RelayIntent(batch.batchId(), slot, batch.from(), items, batch.gas());
  }

  private static RelayIntent canceling(Random random, RelayIntent batch) {
    var items = new ArrayList<>(batch.items());
    items.set(random.nextInt(items.size()), new RelayIntent.Cancellation(uuid(random),
        new AuthorizationCancellation.Signed(AuthorizationCancellation.of(random(random, DOMAIN, TOKEN)),
            Bytes.of(bytes(random, 65)))));
    return with(batch, batch.slot(), items);
  }

  private static RelayIntent batch(Random random, int count) {
    var items = new ArrayList<RelayIntent.Item>();
    for (int i = 0; i < count; i++) {
      items.add(item(random, DOMAIN, TOKEN));
    }
    return new RelayIntent(uuid(random), new NonceSlot(8453, uuid(random), random.nextLong(Long.MAX_VALUE)),
        Address.of(bytes(random, 20)), items, new Gas(9_000_000, BigInteger.TEN, BigInteger.ONE));
  }

  private static RelayIntent.Item item(Random random, Domain domain, Address token) {
    return new RelayIntent.Payment(uuid(random),
        new Authorization.Signed(random(random, domain, token), Bytes.of(bytes(random, 65))));
  }

  private static Authorization random(Random random, Domain domain, Address token) {
    return new Authorization(domain, Address.of(bytes(random, 20)),
        new Transfer(token, Address.of(bytes(random, 20)), new BigInteger(255, random).add(BigInteger.ONE)),
        1 + random.nextLong(4_000_000_000L), Digest32.of(bytes(random, 32)));
  }

  private static UUID uuid(Random random) {
    return new UUID(random.nextLong(), random.nextLong());
  }

  private static byte[] bytes(Random random, int length) {
    var bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }
}
