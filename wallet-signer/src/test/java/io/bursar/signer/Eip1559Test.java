package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.web3j.abi.FunctionEncoder;
import org.web3j.abi.datatypes.Function;
import org.web3j.abi.datatypes.generated.Uint256;
import org.web3j.crypto.Credentials;
import org.web3j.crypto.RawTransaction;
import org.web3j.crypto.SignedRawTransaction;
import org.web3j.crypto.TransactionDecoder;
import org.web3j.crypto.TransactionEncoder;
import org.web3j.crypto.transaction.type.Transaction1559;
import org.web3j.utils.Numeric;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

class Eip1559Test {
  private final Secp256k1 curve = new BouncyCastleSecp256k1();

  @Test
  void encodesWhatWeb3jEncodesAndWeb3jRecoversTheSender() throws Exception {
    long seed = 41;
    var random = new Random(seed);
    for (int i = 0; i < 400; i++) {
      var secret = Fixtures.bytes(random, 32);
      var credentials = Credentials.create(Numeric.toHexString(secret));
      var intent = random(random, Address.parse(credentials.getAddress()));
      byte[] raw;
      try (var key = SecretBytes.takeFrom(secret)) {
        raw = Eip1559.signed(intent, curve.sign(Eip1559.signingHash(intent), key));
      }
      var expected = TransactionEncoder.signMessage(
          RawTransaction.createTransaction(intent.slot().chainId(), BigInteger.valueOf(intent.slot().nonce()),
              BigInteger.valueOf(intent.gas().limit()), intent.transfer().token().toString(), BigInteger.ZERO,
              calldata(intent), intent.gas().maxPriorityFeePerGas(), intent.gas().maxFeePerGas()),
          credentials);
      assertThat(HexFormat.of().formatHex(raw)).as("seed %d, round %d", seed, i)
          .isEqualTo(HexFormat.of().formatHex(expected));
      assertDecodes(intent, raw);
    }
  }

  /** What web3j reads out of the bytes is the intent, and the sender whom it recovers is the key's address. */
  static void assertDecodes(TransferIntent intent, byte[] raw) throws Exception {
    var decoded = (SignedRawTransaction) TransactionDecoder.decode(Numeric.toHexString(raw));
    var transaction = (Transaction1559) decoded.getTransaction();
    assertThat(transaction.getChainId()).isEqualTo(intent.slot().chainId());
    assertThat(transaction.getNonce()).isEqualTo(BigInteger.valueOf(intent.slot().nonce()));
    assertThat(transaction.getGasLimit()).isEqualTo(BigInteger.valueOf(intent.gas().limit()));
    assertThat(transaction.getMaxFeePerGas()).isEqualTo(intent.gas().maxFeePerGas());
    assertThat(transaction.getMaxPriorityFeePerGas()).isEqualTo(intent.gas().maxPriorityFeePerGas());
    assertThat(transaction.getTo()).isEqualToIgnoringCase(intent.transfer().token().toString());
    assertThat(transaction.getValue()).isZero();
    assertThat(transaction.getAccessList()).isEmpty();
    assertThat(Numeric.prependHexPrefix(transaction.getData())).isEqualTo(calldata(intent));
    assertThat(decoded.getFrom()).isEqualToIgnoringCase(intent.from().toString());
  }

  private static String calldata(TransferIntent intent) {
    return FunctionEncoder.encode(new Function("transfer",
        List.of(new org.web3j.abi.datatypes.Address(intent.transfer().payee().toString()),
            new Uint256(intent.transfer().amount())),
        List.of()));
  }

  private static TransferIntent random(Random random, Address from) {
    var fee = new BigInteger(random.nextInt(97), random);
    var priority = fee.signum() == 0 ? BigInteger.ZERO : new BigInteger(96, random).mod(fee.add(BigInteger.ONE));
    long nonce = switch (random.nextInt(4)) {
      case 0 -> 0;
      case 1 -> random.nextInt(300);
      default -> random.nextLong(Long.MAX_VALUE);
    };
    return new TransferIntent(Fixtures.TENANT, UUID.randomUUID(),
        new NonceSlot(1 + random.nextLong(1L << (1 + random.nextInt(52))), UUID.randomUUID(), nonce), from,
        new Transfer(Fixtures.address(random), Fixtures.address(random),
            new BigInteger(1 + random.nextInt(256), random).max(BigInteger.ONE)),
        new Gas(21_000 + random.nextLong(9_000_000), fee, priority));
  }
}
