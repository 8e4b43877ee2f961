package io.bursar.signer;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.Permit;
import io.bursar.permit.PermitKey;
import io.bursar.permit.PermitKeys;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.Gas;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/** What the tests of the signer have in common: known keys, plain intents, and permits for them. */
final class Fixtures {
  static final Instant NOW = Instant.parse("2026-11-23T10:00:00.123Z");
  static final byte[] OPERATOR_KEY = "an operator's key, 32 bytes long".getBytes(StandardCharsets.US_ASCII);
  static final KeyPair PERMIT_KEYS = PermitKeys.generate();
  static final UUID TENANT = UUID.fromString("0198f3a0-0000-7000-8000-00000000000a");
  static final UUID OTHER_TENANT = UUID.fromString("0198f3a0-0000-7000-8000-00000000000b");
  static final Address TOKEN = Address.parse("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913");
  static final Address PAYEE = Address.parse("0x00000000000000000000000000000000000000aa");
  static final Healthy HEALTHY = new Healthy("test", "test", List.of());

  /** A clock that stands still until it is told to move. */
  static final class TestClock implements InstantSource {
    private volatile Instant now = NOW;

    @Override
    public Instant instant() {
      return now;
    }

    void set(Instant instant) {
      now = instant;
    }
  }

  private Fixtures() {}

  static KekRing keks() {
    return KekRing.of(kek());
  }

  static AesKek kek() {
    return AesKek.ofKey("0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII));
  }

  /** A signer of logs whose secret key is known. */
  static LogSigner log(Path directory, boolean required) throws IOException {
    return LogSigner.open("bursar.test", new byte[32], directory.resolve("heads"), required);
  }

  static Signer.Permits permits(InstantSource clock) {
    return new Signer.Permits(PermitKey.of(PERMIT_KEYS.getPublic()), clock);
  }

  /** Of a signer with what its directory has: no root set and no ceilings, unless they were put there. */
  static Fences fences(Path directory, Journal journal) throws IOException {
    return fences(directory, journal, new RateAlarm.Bounds(Integer.MAX_VALUE - 1, Integer.MAX_VALUE - 1));
  }

  static Fences fences(Path directory, Journal journal, RateAlarm.Bounds bounds) throws IOException {
    var quorum = Quorum.open(directory.resolve("approvers"), "bursar.test");
    return new Fences(quorum, Approvers.open(directory.resolve("approvers"), quorum), journal,
        directory.resolve("ceilings.json"), new RateAlarm(bounds), OPERATOR_KEY);
  }

  /** Without an anchor and without ceilings. */
  static Journal journal(Path path, Instant now) throws IOException {
    return Journal.open(path, Optional.empty(), Ceilings.NONE, now);
  }

  static Journal journal(Path path, FileChannel channel, Instant now) throws IOException {
    return new Journal(path, channel, Optional.empty(), Ceilings.NONE, now);
  }

  static Secp256k1 nativeCurve() throws IOException {
    return NativeSecp256k1.load(Path.of("target", "test-native"));
  }

  static TransferIntent intent(UUID keyId, Address from, long nonce) {
    return intent(keyId, from, nonce, BigInteger.valueOf(12_500_000));
  }

  static TransferIntent intent(UUID keyId, Address from, long nonce, BigInteger amount) {
    return new TransferIntent(TENANT, new UUID(nonce, 99), new NonceSlot(8453, keyId, nonce), from,
        new Transfer(TOKEN, PAYEE, amount), gas(90_000, 1_500_000_000L, 1_000_000));
  }

  static Gas gas(long limit, long maxFee, long priority) {
    return new Gas(limit, BigInteger.valueOf(maxFee), BigInteger.valueOf(priority));
  }

  static Permit permit(Intent intent, Instant issuedAt) {
    return new Permit(UUID.randomUUID(), intent.subjectId(), Digest32.sha256(), intent.hash(), issuedAt,
        issuedAt.plusSeconds(60));
  }

  /** A request that holds together, issued now by the test's permit key. */
  static SignerRequest.Sign request(Intent intent) {
    return new SignerRequest.Sign(permit(intent, NOW).sign(PERMIT_KEYS.getPrivate()), Bytes.of(intent.encode()));
  }

  static Address address(Random random) {
    var bytes = new byte[Address.BYTES];
    random.nextBytes(bytes);
    return Address.of(bytes);
  }

  static byte[] bytes(Random random, int length) {
    var bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  static Optional<SignerRefusal> refusal(SignerReply reply) {
    return reply instanceof SignerReply.Refused refused ? Optional.of(refused.reason()) : Optional.empty();
  }
}
