package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.Consumer;

import org.junit.jupiter.api.Test;
import org.web3j.abi.FunctionEncoder;
import org.web3j.abi.datatypes.Bool;
import org.web3j.abi.datatypes.DynamicArray;
import org.web3j.abi.datatypes.DynamicBytes;
import org.web3j.abi.datatypes.DynamicStruct;
import org.web3j.abi.datatypes.Function;
import org.web3j.abi.datatypes.generated.Bytes32;
import org.web3j.abi.datatypes.generated.Uint256;
import org.web3j.abi.datatypes.generated.Uint8;
import org.web3j.crypto.ECKeyPair;
import org.web3j.crypto.Keys;
import org.web3j.crypto.SignedRawTransaction;
import org.web3j.crypto.StructuredDataEncoder;
import org.web3j.crypto.TransactionDecoder;
import org.web3j.crypto.transaction.type.Transaction1559;
import org.web3j.utils.Numeric;

import io.bursar.money.Address;
import io.bursar.permit.Authorization;
import io.bursar.permit.AuthorizationCancellation;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

class Eip3009Test {
  private final Secp256k1 curve = new BouncyCastleSecp256k1();

  @Test
  void digestsAsWeb3jDoes() throws Exception {
    long seed = 3009;
    var random = new Random(seed);
    for (int i = 0; i < 50; i++) {
      var authorization = random(random, Fixtures.address(random), "USD Coin", Fixtures.address(random));
      var expected = new StructuredDataEncoder(json(authorization)).hashStructuredData();
      assertThat(HexFormat.of().formatHex(Eip3009.digest(authorization))).as("seed %d, round %d", seed, i)
          .isEqualTo(HexFormat.of().formatHex(expected));
      var cancellation = AuthorizationCancellation.of(authorization);
      assertThat(HexFormat.of().formatHex(Eip3009.digest(cancellation))).as("seed %d, round %d", seed, i)
          .isEqualTo(HexFormat.of()
              .formatHex(new StructuredDataEncoder(json(cancellation)).hashStructuredData()));
    }
  }

  @Test
  void callsMulticallAsWeb3jEncodesItAndWeb3jRecoversTheRelayer() throws Exception {
    long seed = 3;
    var random = new Random(seed);
    for (int count : List.of(1, 2, 17, 100)) {
      var secret = Fixtures.bytes(random, 32);
      var relayer = Address.parse(Numeric.prependHexPrefix(Keys.getAddress(ECKeyPair.create(secret))));
      var token = Fixtures.address(random);
      var items = new ArrayList<RelayIntent.Item>();
      for (int i = 0; i < count; i++) {
        items.add(i % 3 == 1 ? canceled(random, token) : signed(random, token));
      }
      var batch = new RelayIntent(UUID.randomUUID(), new NonceSlot(8453, UUID.randomUUID(), 5), relayer, items,
          Fixtures.gas(12_000_000, 1_000_000, 1_000));
      byte[] raw;
      try (var key = SecretBytes.takeFrom(secret)) {
        raw = Eip1559.signed(batch, curve.sign(Eip1559.signingHash(batch), key));
      }
      var decoded = (SignedRawTransaction) TransactionDecoder.decode(Numeric.toHexString(raw));
      var transaction = (Transaction1559) decoded.getTransaction();
      assertThat(transaction.getTo()).isEqualToIgnoringCase(RelayIntent.MULTICALL.toString());
      assertThat(transaction.getValue()).isZero();
      assertThat(Numeric.prependHexPrefix(transaction.getData())).as("seed %d, %d items", seed, count)
          .isEqualTo(aggregate(batch));
      assertThat(decoded.getFrom()).isEqualToIgnoringCase(relayer.toString());
      assertThat(raw.length).isLessThan(1 << 16);
    }
  }

  @Test
  void knowsASignatureOfThePayerFromEveryOther() {
    var random = new Random(7);
    for (RelayIntent.Item item : List.of(signed(random, Fixtures.TOKEN), canceled(random, Fixtures.TOKEN))) {
      assertThat(Eip3009.isSigned(item, curve)).isTrue();
      for (int bit = 0; bit < 8 * Authorization.Signed.SIGNATURE_BYTES; bit++) {
        int flipped = bit;
        assertThat(Eip3009.isSigned(with(item, bytes -> bytes[flipped / 8] ^= (byte) (1 << flipped % 8)), curve))
            .as("bit %d", bit).isFalse();
      }
    }
    var item = signed(random, Fixtures.TOKEN);
    var authorization = item.authorization();
    var dearer = new Authorization(authorization.domain(), authorization.from(),
        new Transfer(Fixtures.TOKEN, authorization.transfer().payee(),
            authorization.transfer().amount().add(BigInteger.ONE)),
        authorization.validBefore(), authorization.nonce());
    assertThat(Eip3009.isSigned(
        new RelayIntent.Payment(item.keyId(), new Authorization.Signed(dearer, item.signed().signature())), curve))
        .isFalse();
    assertThat(Eip3009.isSigned(new RelayIntent.Cancellation(item.keyId(), new AuthorizationCancellation.Signed(
        AuthorizationCancellation.of(authorization), item.signed().signature())), curve))
        .as("who lets it be used has not canceled it").isFalse();
  }

  private static RelayIntent.Item with(RelayIntent.Item item, Consumer<byte[]> change) {
    return switch (item) {
      case RelayIntent.Payment(var key, var signed) -> new RelayIntent.Payment(key,
          new Authorization.Signed(signed.authorization(), changed(signed.signature(), change)));
      case RelayIntent.Cancellation(var key, var signed) -> new RelayIntent.Cancellation(key,
          new AuthorizationCancellation.Signed(signed.cancellation(), changed(signed.signature(), change)));
    };
  }

  private static Bytes changed(Bytes signature, Consumer<byte[]> change) {
    var bytes = signature.toByteArray();
    change.accept(bytes);
    return Bytes.of(bytes);
  }

  private RelayIntent.Payment signed(Random random, Address token) {
    var secret = Fixtures.bytes(random, 32);
    var authorization = random(random, address(secret), "USD Coin", token);
    try (var key = SecretBytes.takeFrom(secret)) {
      return new RelayIntent.Payment(UUID.randomUUID(), new Authorization.Signed(authorization,
          Eip3009.signature(curve.sign(Eip3009.digest(authorization), key))));
    }
  }

  private RelayIntent.Cancellation canceled(Random random, Address token) {
    var secret = Fixtures.bytes(random, 32);
    var cancellation = AuthorizationCancellation.of(random(random, address(secret), "USD Coin", token));
    try (var key = SecretBytes.takeFrom(secret)) {
      return new RelayIntent.Cancellation(UUID.randomUUID(), new AuthorizationCancellation.Signed(cancellation,
          Eip3009.signature(curve.sign(Eip3009.digest(cancellation), key))));
    }
  }

  private static Address address(byte[] secret) {
    return Address.parse(Numeric.prependHexPrefix(Keys.getAddress(ECKeyPair.create(secret))));
  }

  private static Authorization random(Random random, Address from, String name, Address token) {
    return new Authorization(new Authorization.Domain(8453, name, "2"), from,
        new Transfer(token, Fixtures.address(random),
            new BigInteger(1 + random.nextInt(256), random).max(BigInteger.ONE)),
        1 + random.nextLong(4_000_000_000L), Digest32.of(Fixtures.bytes(random, 32)));
  }

  private static String json(Authorization authorization) {
    return """
        {"types": {
          "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
          "TransferWithAuthorization": [{"name": "from", "type": "address"}, {"name": "to", "type": "address"},
            {"name": "value", "type": "uint256"}, {"name": "validAfter", "type": "uint256"},
            {"name": "validBefore", "type": "uint256"}, {"name": "nonce", "type": "bytes32"}]},
         "primaryType": "TransferWithAuthorization",
         "domain": {"name": "%s", "version": "%s", "chainId": %d, "verifyingContract": "%s"},
         "message": {"from": "%s", "to": "%s", "value": "%s", "validAfter": "0", "validBefore": "%d", "nonce": "0x%s"}}
        """.formatted(authorization.domain().name(), authorization.domain().version(),
        authorization.domain().chainId(), authorization.transfer().token(), authorization.from(),
        authorization.transfer().payee(), authorization.transfer().amount(), authorization.validBefore(),
        authorization.nonce());
  }

  private static String json(AuthorizationCancellation cancellation) {
    return """
        {"types": {
          "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
          "CancelAuthorization": [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}]},
         "primaryType": "CancelAuthorization",
         "domain": {"name": "%s", "version": "%s", "chainId": %d, "verifyingContract": "%s"},
         "message": {"authorizer": "%s", "nonce": "0x%s"}}
        """.formatted(cancellation.domain().name(), cancellation.domain().version(), cancellation.domain().chainId(),
        cancellation.token(), cancellation.from(), cancellation.nonce());
  }

  private static String aggregate(RelayIntent batch) {
    var calls = batch.items().stream().map(item -> new DynamicStruct(abi(item.token()), new Bool(true),
        new DynamicBytes(Numeric.hexStringToByteArray(call(item))))).toList();
    return FunctionEncoder
        .encode(new Function("aggregate3", List.of(new DynamicArray<>(DynamicStruct.class, calls)), List.of()))
        .replaceFirst("^0x.{8}", "0x82ad56cb"); // web3j cannot name the struct's type in the signature that it hashes
  }

  private static String call(RelayIntent.Item item) {
    return switch (item) {
      case RelayIntent.Payment(var _, var signed) -> call(signed);
      case RelayIntent.Cancellation(var _, var signed) -> call(signed);
    };
  }

  private static String call(AuthorizationCancellation.Signed signed) {
    var signature = signed.signature().toByteArray();
    return FunctionEncoder.encode(new Function("cancelAuthorization",
        List.of(abi(signed.cancellation().from()), new Bytes32(signed.cancellation().nonce().bytes()),
            new Uint8(signature[64]), new Bytes32(Arrays.copyOf(signature, 32)),
            new Bytes32(Arrays.copyOfRange(signature, 32, 64))),
        List.of()));
  }

  private static String call(Authorization.Signed signed) {
    var authorization = signed.authorization();
    var signature = signed.signature().toByteArray();
    return FunctionEncoder.encode(new Function("transferWithAuthorization",
        List.of(abi(authorization.from()), abi(authorization.transfer().payee()),
            new Uint256(authorization.transfer().amount()), new Uint256(BigInteger.ZERO),
            new Uint256(BigInteger.valueOf(authorization.validBefore())), new Bytes32(authorization.nonce().bytes()),
            new Uint8(signature[64]), new Bytes32(Arrays.copyOf(signature, 32)),
            new Bytes32(Arrays.copyOfRange(signature, 32, 64))),
        List.of()));
  }

  private static org.web3j.abi.datatypes.Address abi(Address address) {
    return new org.web3j.abi.datatypes.Address(address.toString());
  }
}
