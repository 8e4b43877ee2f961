package io.bursar.signer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Stream;

import io.bursar.permit.CancelAuthorizationIntent;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.RelayerIntent;
import io.bursar.permit.TransactionIntent;
import io.bursar.permit.TransferIntent.NonceSlot;

/**
 * Where in the journal it stands what was first signed for each nonce and for each spend, and what first canceled either. Every later
 * request is judged by these records, so no other record of an intent is ever read again. Not for use by several threads at once.
 */
final class FirstSigned {
  /** Reads an intent back from where it stands in the file. */
  interface Reader {
    Intent intent(long offset) throws IOException;
  }

  /** Compares with what stands at another place. */
  interface Comparison {
    boolean isSame(long offset) throws IOException;
  }

  /** What a spend is known by. */
  record SpendKey(UUID tenantId, UUID spendId) {
    static SpendKey of(PaymentIntent payment) {
      return new SpendKey(payment.tenantId(), payment.spendId());
    }

    static SpendKey of(CancelAuthorizationIntent cancel) {
      return new SpendKey(cancel.tenantId(), cancel.spendId());
    }
  }

  /** A fingerprint's place in a map of offsets. */
  private record Place(FingerprintMap map, ByteBuffer print) {
    long offset() {
      return map.get(print.getLong(0), print.getLong(8));
    }

    void take(long offset) {
      map.putIfAbsent(print.getLong(0), print.getLong(8), offset);
    }
  }

  private final FingerprintMap slots = new FingerprintMap();
  private final FingerprintMap spends = new FingerprintMap();
  private final FingerprintMap cancels = new FingerprintMap();

  /** Offset of what was first signed for a nonce, 0 if nothing was. */
  long of(NonceSlot slot) {
    return new Place(slots, fingerprint(slot)).offset();
  }

  /** Offset of what was first signed for a spend, 0 if nothing was. */
  long of(SpendKey spend) {
    return new Place(spends, fingerprint(spend)).offset();
  }

  /** Offset of the first cancellation of the nonce or spend of a fingerprint, 0 if there was none. */
  long cancellationOf(ByteBuffer print) {
    return new Place(cancels, print).offset();
  }

  /**
   * Takes a durable record of an intent, after all that are older.
   *
   * @return whether it is the first of its spend
   */
  boolean take(Intent intent, long offset) {
    places(intent).forEach(place -> place.take(offset));
    return intent instanceof PaymentIntent payment && of(SpendKey.of(payment)) == offset;
  }

  /** Whether the record of an intent at an offset is the first of anything. */
  boolean holds(Intent intent, long at) {
    return places(intent).anyMatch(place -> place.offset() == at);
  }

  /**
   * Whether others have the same for all that a record is the first of.
   *
   * @param at where it stands for these
   * @param there whether it is the same at a place of theirs
   */
  boolean agrees(Intent intent, long at, FirstSigned others, Comparison there) throws IOException {
    var mine = places(intent).toList();
    var theirs = others.places(intent).toList();
    var offsets = new TreeSet<Long>(); // of a transfer both places are the same record
    for (int i = 0; i < mine.size(); i++) {
      if (mine.get(i).offset() == at) {
        offsets.add(theirs.get(i).offset());
      }
    }
    for (long offset : offsets) {
      if (offset == 0 || !there.isSame(offset)) {
        return false;
      }
    }
    return true;
  }

  /** Whether others hold as many of each. */
  boolean isAsLargeAs(FirstSigned others) {
    return slots.size() == others.slots.size() && spends.size() == others.spends.size()
        && cancels.size() == others.cancels.size();
  }

  /** What a cancellation cancels; empty if it is none. */
  static Optional<ByteBuffer> canceled(Intent intent) {
    return switch (intent) {
      case CancelIntent cancel -> Optional.of(fingerprint(cancel.slot()));
      case CancelAuthorizationIntent cancel -> Optional.of(fingerprint(SpendKey.of(cancel)));
      case PaymentIntent _,RelayerIntent _ -> Optional.empty();
    };
  }

  /** All that an intent may be the first of. */
  private Stream<Place> places(Intent intent) {
    var canceled = canceled(intent);
    if (canceled.isPresent()) {
      return Stream.of(new Place(cancels, canceled.get()));
    }
    var bySlot = intent instanceof TransactionIntent transaction
        ? Stream.of(new Place(slots, fingerprint(transaction.slot())))
        : Stream.<Place>empty();
    return intent instanceof PaymentIntent payment
        ? Stream.concat(bySlot, Stream.of(new Place(spends, fingerprint(SpendKey.of(payment)))))
        : bySlot;
  }

  static ByteBuffer fingerprint(NonceSlot slot) {
    return fingerprint(ByteBuffer.allocate(8 + 16 + 8).putLong(slot.chainId())
        .putLong(slot.keyId().getMostSignificantBits()).putLong(slot.keyId().getLeastSignificantBits())
        .putLong(slot.nonce()).array());
  }

  static ByteBuffer fingerprint(SpendKey spend) {
    return fingerprint(ByteBuffer.allocate(32).putLong(spend.tenantId.getMostSignificantBits())
        .putLong(spend.tenantId.getLeastSignificantBits()).putLong(spend.spendId.getMostSignificantBits())
        .putLong(spend.spendId.getLeastSignificantBits()).array());
  }

  private static ByteBuffer fingerprint(byte[] bytes) {
    return ByteBuffer.wrap(Digest32.sha256(bytes).bytes());
  }
}
