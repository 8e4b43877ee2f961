package io.bursar.signer;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.InstantSource;

import io.bursar.permit.SignerRefusal;

/** One log line for each refusal, up to a number a second; the rest are counted, so that a flood cannot fill a disk. */
final class RefusalLog {
  private static final int LINES_A_SECOND = 50;

  private final Logger log;
  private final InstantSource clock;
  private long second;
  private int lines;
  private long dropped;

  RefusalLog(Logger log, InstantSource clock) {
    this.log = log;
    this.clock = clock;
  }

  void log(SignerRefusal reason, String message, String subject) {
    long droppedBefore;
    synchronized (this) {
      long now = clock.instant().getEpochSecond();
      if (now != second) {
        second = now;
        lines = 0;
      }
      if (++lines > LINES_A_SECOND) {
        dropped++;
        return;
      }
      droppedBefore = dropped;
      dropped = 0;
    }
    log.log(Level.WARNING, "refused code=" + reason + " " + subject + ": " + message
        + (droppedBefore == 0 ? "" : " (after " + droppedBefore + " refusals without a line)"));
  }
}
