package io.bursar.signer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

import org.jspecify.annotations.Nullable;

import io.bursar.signer.JournalMemory.Pending;

/**
 * Records that go to the disk together. Whoever puts in the first one writes them for all. Filled under the lock on the journal's
 * memory.
 */
final class JournalBatch {
  final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  final List<Pending> pending = new ArrayList<>();
  private @Nullable Thread writer;
  private final CountDownLatch done = new CountDownLatch(1);
  private volatile @Nullable IOException failure;

  void add(byte[] record) {
    if (writer == null) {
      writer = Thread.currentThread();
    }
    bytes.writeBytes(record);
  }

  boolean isWrittenByThisThread() {
    return writer == Thread.currentThread();
  }

  boolean isDone() {
    return done.getCount() == 0;
  }

  void end(@Nullable IOException why) {
    failure = why;
    done.countDown();
  }

  /** Waits until it is durable, or never will be; null, or why not. */
  @Nullable
  IOException outcome() {
    boolean interrupted = false;
    while (true) {
      try {
        done.await();
        break;
      } catch (InterruptedException later) {
        interrupted = true; // what becomes of the record must be known first
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return failure;
  }
}
