package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.UUID;

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
        items.add(signed(random, token));
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
    var item = signed(new Random(7), Fixtures.TOKEN).signed();
    assertThat(Eip3009.isSigned(item, curve)).isTrue();
    for (int bit = 0; bit < 8 * Authorization.Signed.SIGNATURE_BYTES; bit++) {
      var bytes = item.signature().toByteArray();
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      assertThat(Eip3009.isSigned(new Authorization.Signed(item.authorization(), Bytes.of(bytes)), curve))
          .as("bit %d", bit).isFalse();
    }
    var authorization = item.authorization();
    var dearer = new Authorization(authorization.domain(), authorization.from(),
        new Transfer(Fixtures.TOKEN, authorization.transfer().payee(),
            authorization.transfer().amount().add(BigInteger.ONE)),
        authorization.validBefore(), authorization.nonce());
    assertThat(Eip3009.isSigned(new Authorization.Signed(dearer, item.signature()), curve)).isFalse();
  }

  private RelayIntent.Item signed(Random random, Address token) {
    var secret = Fixtures.bytes(random, 32);
    var payer = Address.parse(Numeric.prependHexPrefix(Keys.getAddress(ECKeyPair.create(secret))));
    var authorization = random(random, payer, "USD Coin", token);
    try (var key = SecretBytes.takeFrom(secret)) {
      return new RelayIntent.Item(UUID.randomUUID(), new Authorization.Signed(authorization,
          Eip3009.signature(curve.sign(Eip3009.digest(authorization), key))));
    }
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

  private static String aggregate(RelayIntent batch) {
    var calls = batch.items().stream().map(item -> new DynamicStruct(abi(item.authorization().transfer().token()),
        new Bool(true), new DynamicBytes(Numeric.hexStringToByteArray(call(item.signed()))))).toList();
    return FunctionEncoder
        .encode(new Function("aggregate3", List.of(new DynamicArray<>(DynamicStruct.class, calls)), List.of()))
        .replaceFirst("^0x.{8}", "0x82ad56cb"); // web3j cannot name the struct's type in the signature that it hashes
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
