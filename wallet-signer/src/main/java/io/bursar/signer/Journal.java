package io.bursar.signer;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.permit.FreezeScope;
import io.bursar.permit.Intent;
import io.bursar.permit.JournalMark;
import io.bursar.permit.Permit;
import io.bursar.permit.SignedPermit;
import io.bursar.signer.JournalMemory.Judgement;
import io.bursar.signer.JournalMemory.Pending;

/**
 * The signer's own memory of what it agreed to sign: which permits are used, which payload has which nonce, how a spend is paid, what was spent of its
 * ceilings, what is frozen. It decides and records in one step, and answers {@link JournalOutcome.Recorded} only once the record is on the
 * disk. Threads that record while another writes share the next write and its fsync.
 */
final class Journal implements AutoCloseable {
  private final Path path;
  private final JournalFile file;
  private final Optional<JournalAnchor> anchor;
  /** Held while a batch is written; taken before {@link #memory}, never after. */
  private final Object writing = new Object();
  /** Guards itself and everything below. */
  private final JournalMemory memory;
  private JournalBatch open = new JournalBatch();
  private boolean rewound;

  /**
   * Opens a journal, made if it is not there, and reads it into memory.
   *
   * @param anchor that says how far it had come; none where nothing is kept apart from it
   * @throws JournalFile.DamagedException if what was durable does not check
   * @throws JournalAnchor.LostException if it had come further than it reaches now
   */
  static Journal open(Path path, Optional<JournalAnchor> anchor, Ceilings ceilings, Instant now) throws IOException {
    return new Journal(path, SafeFiles.open(path), anchor, ceilings, now);
  }

  Journal(Path path, FileChannel channel, Optional<JournalAnchor> anchor, Ceilings ceilings, Instant now)
      throws IOException {
    this.path = path;
    this.anchor = anchor;
    this.memory = new JournalMemory(ceilings);
    file = JournalFile.open(path, channel, JournalRecord.each(memory::load));
    memory.forget(now.toEpochMilli());
    if (anchor.isPresent()) {
      try {
        anchor.get().check(file);
        anchor.get().move(file);
      } catch (IOException | RuntimeException lost) {
        file.close();
        throw lost;
      }
    }
  }

  /** Bytes of an unfinished last write that opening cut away. */
  long cutBytes() {
    return file.cutBytes();
  }

  /** How many transfers were agreed to. */
  long records() {
    synchronized (memory) {
      return memory.records();
    }
  }

  /** An asset that the ceilings list. */
  Optional<Asset> asset(long chainId, Address contract) {
    synchronized (memory) {
      return memory.asset(chainId, contract);
    }
  }

  /** Whether there are ceilings to count against. */
  boolean hasCeilings() {
    synchronized (memory) {
      return memory.hasCeilings();
    }
  }

  /** Whether a freeze holds this key of this tenant. */
  boolean isFrozen(UUID tenantId, UUID keyId) {
    return freezeOf(tenantId, keyId).isPresent();
  }

  /** The freeze that holds this key of this tenant, if any does. */
  Optional<FreezeScope> freezeOf(UUID tenantId, UUID keyId) {
    synchronized (memory) {
      return memory.freezeOf(tenantId, keyId);
    }
  }

  /** What is frozen, and why. */
  Map<FreezeScope, String> frozen() {
    synchronized (memory) {
      return memory.frozen();
    }
  }

  /** Whether somebody has shown that the journal once held more. */
  boolean isRewound() {
    synchronized (memory) {
      return rewound;
    }
  }

  /**
   * Decides whether the intent may be signed under the permit, and if so records both.
   *
   * @param now when
   * @param signed what was verified
   * @param permit what {@code signed} says
   * @param intent what the permit names
   * @param approved who has approved exactly this spend
   */
  JournalOutcome record(Instant now, SignedPermit signed, Permit permit, Intent intent,
      SpendApprovals.Result.Counted approved) {
    var record = new JournalRecord.Sign(now, signed, permit, intent).encode();
    JournalBatch batch;
    synchronized (memory) {
      if (rewound) {
        return new JournalOutcome.Rewound();
      }
      Judgement judgement;
      try {
        judgement = memory.judge(now, permit, intent, approved, this::read);
      } catch (IOException unreadable) {
        return new JournalOutcome.NotDurable(unreadable);
      }
      switch (judgement) {
        case Judgement.Refused(var why) -> {
          return why;
        }
        case Judgement.Agreed(var counted) -> {
          batch = open;
          var pending = new Pending(permit, intent, counted, batch.bytes.size());
          memory.take(pending);
          batch.pending.add(pending);
          batch.add(record);
        }
      }
    }
    var failure = flush(batch, now);
    return failure == null ? new JournalOutcome.Recorded() : new JournalOutcome.NotDurable(failure);
  }

  /**
   * Freezes, from this moment and for good.
   *
   * @return why it will not outlive this process; empty if it is durable. It holds all the same
   */
  Optional<IOException> freeze(FreezeScope scope, String why, Instant now) {
    JournalBatch batch;
    synchronized (memory) {
      if (!memory.freeze(scope, why)) {
        return Optional.empty();
      }
      batch = open;
      batch.add(new JournalRecord.Freeze(now, scope, why).encode());
    }
    var failure = flush(batch, now);
    if (failure != null) {
      synchronized (memory) {
        memory.freezeForNow(scope);
      }
    }
    return Optional.ofNullable(failure);
  }

  /**
   * Lifts a freeze, once that is durable.
   *
   * @return why it was not
   */
  Optional<IOException> lift(FreezeScope scope, Instant now) {
    JournalBatch batch;
    synchronized (memory) {
      batch = open;
      batch.add(new JournalRecord.Lift(now, scope).encode());
    }
    var failure = flush(batch, now);
    if (failure == null) {
      synchronized (memory) {
        memory.lift(scope);
      }
    }
    return Optional.ofNullable(failure);
  }

  /** Counts against other ceilings from now on, with all that was signed before. */
  void ceilings(Ceilings next) throws IOException {
    synchronized (writing) {
      synchronized (memory) {
        // Whoever is on the way to the disk was judged by the old ceilings: all of them must ask again.
        memory.release(open.pending);
        open.end(new IOException("the ceilings have changed meanwhile"));
        open = new JournalBatch();
        memory.ceilings(next);
        file.repair();
        JournalFile.open(path, FileChannel.open(path, StandardOpenOption.READ), JournalRecord.each(memory::count))
            .close();
      }
    }
  }

  /** How far the journal has come. */
  JournalMark mark(Instant now) {
    synchronized (writing) {
      return file.mark(now);
    }
  }

  /**
   * Holds the journal against a mark that somebody has kept. If it does not hold it, nothing more is signed, also after a restart,
   * until a person has looked.
   *
   * @return whether it holds the mark
   */
  boolean holds(JournalMark known) throws IOException {
    synchronized (writing) {
      if (anchor.map(kept -> kept.isAccepted(known)).orElse(false) || file.holds(known)) {
        return true;
      }
      synchronized (memory) {
        rewound = true;
      }
      if (anchor.isPresent()) {
        anchor.get().keep(known);
      }
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    synchronized (writing) {
      file.close();
      if (anchor.isPresent()) {
        anchor.get().close();
      }
    }
  }

  /** The intent of the record that begins at an offset. */
  private Intent read(long offset) throws IOException {
    return JournalRecord.at(file, offset).agreedTo().orElseThrow();
  }

  /** Makes a batch durable, or waits for whoever does. Null if it is durable, otherwise why not. */
  private @Nullable IOException flush(JournalBatch batch, Instant now) {
    if (batch.isWrittenByThisThread()) {
      synchronized (writing) {
        if (!batch.isDone()) {
          write(batch, now);
        }
      }
    }
    return batch.outcome();
  }

  /** INVARIANT: a batch ends well only after the group that it is has become durable. */
  private void write(JournalBatch batch, Instant now) {
    synchronized (memory) {
      open = new JournalBatch(); // batches end under the lock on writing: one that has not is the open one
    }
    IOException failure = new IOException("the journal was not written");
    try {
      long offset = file.append(batch.bytes.toByteArray());
      boolean whole;
      synchronized (memory) {
        memory.settle(batch.pending, offset, now);
        whole = !rewound;
      }
      failure = null;
      batch.end(null); // nobody waits for the anchor
      if (whole) {
        anchor.ifPresent(kept -> kept.move(file));
      }
    } catch (IOException | RuntimeException thrown) {
      failure = thrown instanceof IOException io ? io : new IOException("the journal cannot be written", thrown);
    } finally {
      if (failure != null) {
        abandon(batch, failure);
      }
    }
  }

  /** Whoever queued up meanwhile was judged against entries that are now void: all of them must ask again. */
  private void abandon(JournalBatch batch, IOException failure) {
    synchronized (memory) {
      memory.release(batch.pending);
      memory.release(open.pending);
      batch.end(failure);
      open.end(failure);
      open = new JournalBatch();
    }
  }
}
