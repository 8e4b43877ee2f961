package io.bursar.permit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

class TransferIntentTest {
  private static final UUID ID = UUID.fromString("0198f3a0-0000-7000-8000-000000000001");
  private static final Address TOKEN = Address.parse("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913");
  private static final Address PAYEE = Address.parse("0x00000000000000000000000000000000000000aa");
  private static final Address FROM = Address.parse("0x00000000000000000000000000000000000000bb");

  @Test
  void twoRandomIntentsShareTheirBytesOnlyIfTheyAreEqual() {
    long seed = 11;
    var random = new Random(seed);
    var hashes = new HashSet<Digest32>();
    for (int i = 0; i < 5_000; i++) {
      var intent = random(random);
      assertThat(Intent.decode(intent.encode())).as("seed %d, round %d", seed, i).isEqualTo(intent);
      assertThat(hashes.add(intent.hash())).as("seed %d, round %d", seed, i).isTrue();
    }
  }

  @Test
  void everyFlippedBitIsAnotherIntentOrNone() {
    var intent = random(new Random(12));
    var bytes = intent.encode();
    for (int bit = 0; bit < 8 * bytes.length; bit++) {
      var altered = bytes.clone();
      altered[bit / 8] ^= (byte) (1 << bit % 8);
      assertThat(Intent.hashOf(altered)).as("bit %d", bit).isNotEqualTo(intent.hash());
      try {
        assertThat(Intent.decode(altered)).as("bit %d", bit).isNotEqualTo(intent);
      } catch (IllegalArgumentException refused) {
        assertThat(refused).hasMessageNotContaining("\n");
      }
    }
  }

  @Test
  void refusesEveryOtherLength() {
    var bytes = random(new Random(13)).encode();
    for (int length = 0; length < bytes.length + 40; length++) {
      if (length != bytes.length) {
        var other = Arrays.copyOf(bytes, length);
        assertThatIllegalArgumentException().as("length %d", length).isThrownBy(() -> Intent.decode(other));
      }
    }
  }

  @Test
  void refusesOtherVersionsAndKinds() {
    var bytes = random(new Random(14)).encode();
    for (int position = 0; position < 2; position++) {
      for (int value = 0; value < 256; value++) {
        var other = bytes.clone();
        other[position] = (byte) value;
        if (value != 1) {
          assertThatIllegalArgumentException().isThrownBy(() -> Intent.decode(other));
        }
      }
    }
  }

  @Test
  void refusesFieldsOutOfRange() {
    assertThatIllegalArgumentException().isThrownBy(() -> new NonceSlot(0, ID, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new NonceSlot(1L << 53, ID, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new NonceSlot(1, ID, -1));
    assertThatIllegalArgumentException().isThrownBy(() -> new Transfer(TOKEN, PAYEE, BigInteger.ZERO));
    assertThatIllegalArgumentException().isThrownBy(() -> new Transfer(TOKEN, PAYEE, BigInteger.ONE.negate()));
    assertThatIllegalArgumentException().isThrownBy(() -> new Transfer(TOKEN, PAYEE, BigInteger.ONE.shiftLeft(256)));
    assertThatIllegalArgumentException().isThrownBy(() -> new Gas(20_999, BigInteger.ONE, BigInteger.ONE));
    assertThatIllegalArgumentException().isThrownBy(() -> new Gas((1 << 24) + 1, BigInteger.ONE, BigInteger.ONE));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Gas(21_000, BigInteger.ONE.shiftLeft(96), BigInteger.ONE));
    assertThatIllegalArgumentException().isThrownBy(() -> new Gas(21_000, BigInteger.ONE, BigInteger.TWO));
    assertThatIllegalArgumentException().isThrownBy(() -> new Gas(21_000, BigInteger.ONE, BigInteger.ONE.negate()));
  }

  @Test
  void refusesAGasLimitThatOnlyABatchMayHave() {
    var plain = simple();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new TransferIntent(ID, ID, plain.slot(), FROM, plain.transfer(),
            new Gas(10_000_001, BigInteger.ONE, BigInteger.ONE)));
  }

  @Test
  void refusesPayeesThatLoseTheMoney() {
    var zero = Address.of(new byte[Address.BYTES]);
    assertThatIllegalArgumentException().isThrownBy(() -> new Transfer(TOKEN, zero, BigInteger.ONE));
    assertThatIllegalArgumentException().isThrownBy(() -> new Transfer(zero, PAYEE, BigInteger.ONE));
    assertThatIllegalArgumentException().isThrownBy(() -> new Transfer(TOKEN, TOKEN, BigInteger.ONE));
  }

  @Test
  void costsAtMostLimitTimesMaxFee() {
    assertThat(new Gas(21_000, BigInteger.valueOf(1_500_000_000L), BigInteger.ZERO).maxCost())
        .isEqualTo(BigInteger.valueOf(31_500_000_000_000L));
  }

  static TransferIntent random(Random random) {
    var fee = new BigInteger(1 + random.nextInt(96), random);
    var priority = fee.signum() == 0 ? BigInteger.ZERO : new BigInteger(96, random).mod(fee.add(BigInteger.ONE));
    return new TransferIntent(uuid(random), uuid(random),
        new NonceSlot(1 + random.nextLong((1L << 53) - 1), uuid(random), random.nextLong(Long.MAX_VALUE)),
        address(random),
        new Transfer(address(random), address(random),
            new BigInteger(1 + random.nextInt(256), random).max(BigInteger.ONE)),
        new Gas(21_000 + random.nextLong(9_000_000), fee, priority));
  }

  static TransferIntent simple() {
    return new TransferIntent(ID, ID, new NonceSlot(1, ID, 0), FROM, new Transfer(TOKEN, PAYEE, BigInteger.TEN),
        new Gas(90_000, BigInteger.TEN, BigInteger.ONE));
  }

  private static UUID uuid(Random random) {
    return new UUID(random.nextLong(), random.nextLong());
  }

  private static Address address(Random random) {
    var bytes = new byte[Address.BYTES];
    random.nextBytes(bytes);
    return Address.of(bytes);
  }
}
