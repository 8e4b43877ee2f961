package io.bursar.signer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.permit.AuthorizationIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.Permit;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.SignedPermit;
import io.bursar.permit.TransactionIntent;
import io.bursar.permit.TransferIntent;

/**
 * The signer's own memory of what it agreed to sign: which permits are used, which payload has which nonce, and which spends are
 * paid how. It decides and records in one step, and answers {@link Outcome.Recorded} only once the record is on the disk. Threads
 * that record at the same time share one write and one fsync.
 *
 * <p>
 * A record, in a group of {@link JournalFile}, big-endian: its length after these two bytes (2), kind 1 = sign (1), time
 * in milliseconds since 1970 (8), permit (113), its signature (64), intent (the rest).
 */
final class Journal implements AutoCloseable {
  /** The same transfer may be signed again at up to this many times the fees it was first signed at. */
  static final BigInteger MOST_FEE_FACTOR = BigInteger.TEN;

  private static final int KIND_SIGN = 1;
  private static final int PERMIT_AT = 2 + 1 + 8;
  private static final int INTENT_AT = PERMIT_AT + Permit.ENCODED_BYTES + SignedPermit.SIGNATURE_BYTES;
  private static final int FORGET_AT_LEAST = 10_000;

  /** What became of a request to record. Only after {@link Recorded} may the intent be signed. */
  sealed interface Outcome {
    /** It may be signed, and the record of it is durable. */
    record Recorded() implements Outcome {}

    /** The permit was used before. */
    record PermitUsed() implements Outcome {}

    /** The permit expired before permits that are forgotten by now: the clock went back. */
    record PermitForgotten() implements Outcome {}

    /** Another payload has this nonce, or the spend was signed for in another way. */
    record OtherTransfer() implements Outcome {}

    /** The same payload was first signed at {@code first}, which allows no such fees. */
    record FeeOutOfBounds(TransferIntent.Gas first) implements Outcome {}

    /** The disk refused; nothing may be signed. */
    record NotDurable(IOException cause) implements Outcome {}
  }

  /** Records that go to the disk together. */
  private static final class Batch {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    final List<Permit> permits = new ArrayList<>();
    final List<Intent> intents = new ArrayList<>();
    boolean done;
    @Nullable
    IOException failure;
  }

  private final JournalFile file;
  /** Held while a batch is written; taken before {@link #memory}, never after. */
  private final Object writing = new Object();
  /** Guards everything below. */
  private final Object memory = new Object();
  /** Permit id to its expiry in milliseconds, for permits that have not expired or did so lately. */
  private final FingerprintMap permits = new FingerprintMap();
  /** Nonce slot, and spend, to the file offset of the record of what was first signed for it. */
  private final FingerprintMap claims = new FingerprintMap();
  private final Set<UUID> permitsInFlight = new HashSet<>();
  private final Map<ByteBuffer, Intent> claimsInFlight = new HashMap<>();
  private Batch open = new Batch();
  private long forgottenUntil;
  private int forgetAbove = FORGET_AT_LEAST;
  private long records;

  /**
   * Opens a journal, made if it is not there, and reads it into memory.
   *
   * @throws JournalFile.DamagedException if what was durable does not check
   */
  static Journal open(Path path, Instant now) throws IOException {
    return new Journal(path, SafeFiles.open(path), now);
  }

  Journal(Path path, FileChannel channel, Instant now) throws IOException {
    file = JournalFile.open(path, channel, (content, offset) -> load(content, offset, now));
  }

  /** Bytes of an unfinished last write that opening cut away. */
  long cutBytes() {
    return file.cutBytes();
  }

  /** How many records there are. */
  long records() {
    synchronized (memory) {
      return records;
    }
  }

  /**
   * Decides whether the intent may be signed under the permit, and if so records both.
   *
   * @param now when
   * @param signed what was verified
   * @param permit what {@code signed} says
   * @param intent what the permit names
   */
  Outcome record(Instant now, SignedPermit signed, Permit permit, Intent intent) {
    Batch batch;
    synchronized (memory) {
      Outcome verdict;
      try {
        verdict = judge(permit, intent);
      } catch (IOException unreadable) {
        return new Outcome.NotDurable(unreadable);
      }
      if (!(verdict instanceof Outcome.Recorded)) {
        return verdict;
      }
      batch = open;
      // INVARIANT: from here to the end of the batch, whoever asks for this permit, nonce or spend meets these entries.
      permitsInFlight.add(permit.permitId());
      claims(intent).forEach(claim -> claimsInFlight.putIfAbsent(claim, intent));
      batch.permits.add(permit);
      batch.intents.add(intent);
      batch.bytes.writeBytes(encode(now, signed, intent));
    }
    var failure = flush(batch, now);
    return failure == null ? new Outcome.Recorded() : new Outcome.NotDurable(failure);
  }

  @Override
  public void close() throws IOException {
    synchronized (writing) {
      file.close();
    }
  }

  private Outcome judge(Permit permit, Intent intent) throws IOException {
    var id = permit.permitId();
    if (permitsInFlight.contains(id)
        || permits.get(id.getMostSignificantBits(), id.getLeastSignificantBits()) != 0) {
      return new Outcome.PermitUsed();
    }
    if (permit.expiresAt().toEpochMilli() <= forgottenUntil) {
      return new Outcome.PermitForgotten();
    }
    for (var claim : claims(intent)) {
      var first = firstOf(claim);
      var verdict = first == null ? new Outcome.Recorded() : judge(first, intent);
      if (!(verdict instanceof Outcome.Recorded)) {
        return verdict;
      }
    }
    return new Outcome.Recorded();
  }

  /**
   * INVARIANT: of all that is ever signed for one nonce, any two are the same payload and differ in their price alone; and a spend
   * that is paid by an authorization is paid by that one and no other, and by no transfer.
   *
   * @param first what was signed first for a claim that {@code next} makes as well
   */
  private static Outcome judge(Intent first, Intent next) {
    return switch (next) {
      case TransferIntent transfer when first instanceof TransferIntent other ->
        !other.slot().equals(transfer.slot())
            ? new Outcome.Recorded() // the spend's claim: its nonces answer for themselves
            : sameTransfer(other, transfer) ? judgeFees(other, transfer) : new Outcome.OtherTransfer();
      case RelayIntent batch when first instanceof RelayIntent other ->
        other.isSameBatch(batch) ? judgeFees(other, batch) : new Outcome.OtherTransfer();
      case AuthorizationIntent authorization when authorization.equals(first) -> new Outcome.Recorded();
      case TransferIntent _,RelayIntent _,AuthorizationIntent _ -> new Outcome.OtherTransfer();
    };
  }

  private static boolean sameTransfer(TransferIntent first, TransferIntent next) {
    return first.tenantId().equals(next.tenantId()) && first.spendId().equals(next.spendId())
        && first.from().equals(next.from()) && first.transfer().equals(next.transfer());
  }

  private static Outcome judgeFees(TransactionIntent first, TransactionIntent next) {
    return feesInBounds(first.gas(), next.gas()) ? new Outcome.Recorded() : new Outcome.FeeOutOfBounds(first.gas());
  }

  /**
   * A replacement must not offer less for each unit of gas than the first did, nor more than ten times as much, nor cost
   * more than ten times as much in all. So a caller can outbid a rising base fee, but not burn the account's coins.
   */
  private static boolean feesInBounds(TransferIntent.Gas first, TransferIntent.Gas next) {
    return next.maxFeePerGas().compareTo(first.maxFeePerGas()) >= 0
        && next.maxFeePerGas().compareTo(first.maxFeePerGas().multiply(MOST_FEE_FACTOR)) <= 0
        && next.maxCost().compareTo(first.maxCost().multiply(MOST_FEE_FACTOR)) <= 0;
  }

  private @Nullable Intent firstOf(ByteBuffer claim) throws IOException {
    var inFlight = claimsInFlight.get(claim);
    if (inFlight != null) {
      return inFlight;
    }
    long offset = claims.get(claim.getLong(0), claim.getLong(8));
    if (offset == 0) {
      return null;
    }
    int length = ByteBuffer.wrap(file.read(offset, 2)).getShort() & 0xffff;
    return Intent.decode(file.read(offset + INTENT_AT, 2 + length - INTENT_AT));
  }

  /** Makes a batch durable, or waits for whoever is doing so. Null if it is durable, otherwise why not. */
  private @Nullable IOException flush(Batch batch, Instant now) {
    synchronized (writing) {
      if (batch.done) {
        return batch.failure;
      }
      synchronized (memory) {
        open = new Batch(); // batches end under the lock on writing: one that has not is the open one
      }
      try {
        long offset = file.append(batch.bytes.toByteArray());
        synchronized (memory) {
          settle(batch, offset);
          forget(now.toEpochMilli());
        }
      } catch (IOException | RuntimeException thrown) {
        var failure = thrown instanceof IOException io ? io : new IOException("the journal cannot be written", thrown);
        synchronized (memory) {
          // Whoever queued up meanwhile was judged against entries that are now void: all of them must ask again.
          fail(batch, failure);
          fail(open, failure);
          open = new Batch();
          permitsInFlight.clear();
          claimsInFlight.clear();
        }
      }
      return batch.failure;
    }
  }

  private void settle(Batch batch, long offset) {
    long at = offset;
    for (int i = 0; i < batch.permits.size(); i++) {
      var intent = batch.intents.get(i);
      remember(batch.permits.get(i), intent, at);
      permitsInFlight.remove(batch.permits.get(i).permitId());
      at += INTENT_AT + intent.encode().length;
    }
    // A later batch may wait on a claim too, but the durable entry answers for it from now on.
    batch.intents.forEach(intent -> claims(intent).forEach(claimsInFlight::remove));
    batch.done = true;
  }

  private static void fail(Batch batch, IOException failure) {
    batch.failure = failure;
    batch.done = true;
  }

  private void remember(Permit permit, Intent intent, long offset) {
    var id = permit.permitId();
    permits.putIfAbsent(id.getMostSignificantBits(), id.getLeastSignificantBits(), permit.expiresAt().toEpochMilli());
    claims(intent).forEach(claim -> claims.putIfAbsent(claim.getLong(0), claim.getLong(8), offset));
    records++;
  }

  /** Forgets permits that expired before now, once they are many. The line they fell behind is kept. */
  private void forget(long now) {
    if (permits.size() < forgetAbove) {
      return;
    }
    permits.removeIf(expiry -> {
      boolean expired = expiry <= now;
      if (expired) {
        forgottenUntil = Math.max(forgottenUntil, expiry);
      }
      return expired;
    });
    forgetAbove = Math.max(FORGET_AT_LEAST, 2 * permits.size());
  }

  private void load(ByteBuffer content, long offset, Instant now) {
    while (content.hasRemaining()) {
      long at = offset + content.position();
      int length = content.getShort() & 0xffff;
      if (length <= INTENT_AT - 2 || length > content.remaining()) {
        throw new IllegalStateException("the journal holds a record of another version at byte " + at);
      }
      var record = new byte[length];
      content.get(record);
      if (record[0] != KIND_SIGN) {
        throw new IllegalStateException(
            "the journal holds a record of the unknown kind " + record[0] + " at byte " + at);
      }
      var permit = Permit.decode(slice(record, PERMIT_AT - 2, Permit.ENCODED_BYTES));
      remember(permit, Intent.decode(slice(record, INTENT_AT - 2, length - INTENT_AT + 2)), at);
    }
    forget(now.toEpochMilli());
  }

  private static byte[] encode(Instant now, SignedPermit signed, Intent intent) {
    var bytes = intent.encode();
    int length = INTENT_AT - 2 + bytes.length;
    return ByteBuffer.allocate(2 + length).putShort((short) length).put((byte) KIND_SIGN).putLong(now.toEpochMilli())
        .put(signed.bytes().toByteArray()).put(signed.signature().toByteArray()).put(bytes).array();
  }

  private static byte[] slice(byte[] bytes, int from, int length) {
    return Arrays.copyOfRange(bytes, from, from + length);
  }

  /** What no other payload may have afterwards, as fingerprints: the nonce of a transaction, the spend of a payment. */
  private static List<ByteBuffer> claims(Intent intent) {
    var claims = new ArrayList<ByteBuffer>(2);
    if (intent instanceof TransactionIntent transaction) {
      var slot = transaction.slot();
      claims.add(fingerprint(ByteBuffer.allocate(8 + 16 + 8).putLong(slot.chainId())
          .putLong(slot.keyId().getMostSignificantBits()).putLong(slot.keyId().getLeastSignificantBits())
          .putLong(slot.nonce()).array()));
    }
    if (intent instanceof PaymentIntent payment) {
      claims.add(fingerprint(ByteBuffer.allocate(16).putLong(payment.spendId().getMostSignificantBits())
          .putLong(payment.spendId().getLeastSignificantBits()).array()));
    }
    return claims;
  }

  private static ByteBuffer fingerprint(byte[] claim) {
    return ByteBuffer.wrap(Digest32.sha256(claim).bytes());
  }
}
