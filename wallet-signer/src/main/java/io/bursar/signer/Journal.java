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

import io.bursar.permit.Digest32;
import io.bursar.permit.Permit;
import io.bursar.permit.SignedPermit;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;

/**
 * The signer's own memory of what it agreed to sign: which permits are used, and which transfer has which nonce. It
 * decides and records in one step, and answers {@link Outcome.Recorded} only once the record is on the disk. Threads
 * that record at the same time share one write and one fsync.
 *
 * <p>
 * A record, in a group of {@link JournalFile}, big-endian: its length after these two bytes (2), kind 1 = sign (1), time
 * in milliseconds since 1970 (8), permit (113), its signature (64), intent (190).
 */
final class Journal implements AutoCloseable {
  /** The same transfer may be signed again at up to this many times the fees it was first signed at. */
  static final BigInteger MOST_FEE_FACTOR = BigInteger.TEN;

  private static final int KIND_SIGN = 1;
  private static final int RECORD_BYTES = 1 + 8 + Permit.ENCODED_BYTES + SignedPermit.SIGNATURE_BYTES
      + TransferIntent.ENCODED_BYTES;
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

    /** Another transfer has this nonce. */
    record OtherTransfer() implements Outcome {}

    /** The same transfer was first signed at {@code first}, which allows no such fees. */
    record FeeOutOfBounds(TransferIntent.Gas first) implements Outcome {}

    /** The disk refused; nothing may be signed. */
    record NotDurable(IOException cause) implements Outcome {}
  }

  /** Records that go to the disk together. */
  private static final class Batch {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    final List<Permit> permits = new ArrayList<>();
    final List<NonceSlot> slots = new ArrayList<>();
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
  /** Nonce slot to the file offset of the intent that was first signed for it. */
  private final FingerprintMap slots = new FingerprintMap();
  private final Set<UUID> permitsInFlight = new HashSet<>();
  private final Map<NonceSlot, TransferIntent> slotsInFlight = new HashMap<>();
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
  Outcome record(Instant now, SignedPermit signed, Permit permit, TransferIntent intent) {
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
      // INVARIANT: from here to the end of the batch, whoever asks for this permit or nonce meets these two entries.
      permitsInFlight.add(permit.permitId());
      slotsInFlight.putIfAbsent(intent.slot(), intent);
      batch.permits.add(permit);
      batch.slots.add(intent.slot());
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

  private Outcome judge(Permit permit, TransferIntent intent) throws IOException {
    var id = permit.permitId();
    if (permitsInFlight.contains(id)
        || permits.get(id.getMostSignificantBits(), id.getLeastSignificantBits()) != 0) {
      return new Outcome.PermitUsed();
    }
    if (permit.expiresAt().toEpochMilli() <= forgottenUntil) {
      return new Outcome.PermitForgotten();
    }
    var first = firstOf(intent.slot());
    if (first == null) {
      return new Outcome.Recorded();
    }
    if (!sameTransfer(first, intent)) {
      return new Outcome.OtherTransfer();
    }
    return feesInBounds(first.gas(), intent.gas()) ? new Outcome.Recorded() : new Outcome.FeeOutOfBounds(first.gas());
  }

  /** INVARIANT: of all intents that are ever signed for one slot, any two are the same transfer of the same spend. */
  private static boolean sameTransfer(TransferIntent first, TransferIntent next) {
    return first.slot().equals(next.slot()) && first.tenantId().equals(next.tenantId())
        && first.spendId().equals(next.spendId()) && first.from().equals(next.from())
        && first.transfer().equals(next.transfer());
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

  private @Nullable TransferIntent firstOf(NonceSlot slot) throws IOException {
    var inFlight = slotsInFlight.get(slot);
    if (inFlight != null) {
      return inFlight;
    }
    var print = fingerprint(slot);
    long offset = slots.get(print.getLong(0), print.getLong(8));
    return offset == 0 ? null : TransferIntent.decode(file.read(offset, TransferIntent.ENCODED_BYTES));
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
          slotsInFlight.clear();
        }
      }
      return batch.failure;
    }
  }

  private void settle(Batch batch, long offset) {
    long at = offset;
    for (int i = 0; i < batch.permits.size(); i++) {
      remember(batch.permits.get(i), batch.slots.get(i), at + INTENT_AT);
      permitsInFlight.remove(batch.permits.get(i).permitId());
      at += 2 + RECORD_BYTES;
    }
    // A later batch may wait on a slot too, but the durable entry answers for it from now on.
    batch.slots.forEach(slotsInFlight::remove);
    batch.done = true;
  }

  private static void fail(Batch batch, IOException failure) {
    batch.failure = failure;
    batch.done = true;
  }

  private void remember(Permit permit, NonceSlot slot, long intentOffset) {
    var id = permit.permitId();
    permits.putIfAbsent(id.getMostSignificantBits(), id.getLeastSignificantBits(), permit.expiresAt().toEpochMilli());
    var print = fingerprint(slot);
    slots.putIfAbsent(print.getLong(0), print.getLong(8), intentOffset);
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
      var record = new byte[RECORD_BYTES];
      if ((content.getShort() & 0xffff) != RECORD_BYTES) {
        throw new IllegalStateException("the journal holds a record of another version at byte " + at);
      }
      content.get(record);
      if (record[0] != KIND_SIGN) {
        throw new IllegalStateException(
            "the journal holds a record of the unknown kind " + record[0] + " at byte " + at);
      }
      var permit = Permit.decode(slice(record, PERMIT_AT - 2, Permit.ENCODED_BYTES));
      var intent = TransferIntent.decode(slice(record, INTENT_AT - 2, TransferIntent.ENCODED_BYTES));
      remember(permit, intent.slot(), at + INTENT_AT);
    }
    forget(now.toEpochMilli());
  }

  private static byte[] encode(Instant now, SignedPermit signed, TransferIntent intent) {
    return ByteBuffer.allocate(2 + RECORD_BYTES).putShort((short) RECORD_BYTES).put((byte) KIND_SIGN)
        .putLong(now.toEpochMilli()).put(signed.bytes().toByteArray()).put(signed.signature().toByteArray())
        .put(intent.encode()).array();
  }

  private static byte[] slice(byte[] bytes, int from, int length) {
    return Arrays.copyOfRange(bytes, from, from + length);
  }

  private static ByteBuffer fingerprint(NonceSlot slot) {
    var bytes = ByteBuffer.allocate(8 + 16 + 8).putLong(slot.chainId()).putLong(slot.keyId().getMostSignificantBits())
        .putLong(slot.keyId().getLeastSignificantBits()).putLong(slot.nonce()).array();
    return ByteBuffer.wrap(Digest32.sha256(bytes).bytes());
  }
}
