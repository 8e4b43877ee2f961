package io.bursar.api.rehearsal;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import jakarta.servlet.http.HttpServletResponse;

/**
 * Answers a long question with lines of JSON ({@code application/x-ndjson}): {@code progress} while it goes on, and a last one of
 * type {@code report}, or {@code failed} if it broke. An answer without such a last line is incomplete. Few run at once, so that
 * they leave room for spends.
 */
final class LineStream {
  static final String MEDIA_TYPE = "application/x-ndjson";

  private static final Logger LOG = LoggerFactory.getLogger(LineStream.class);
  private static final Semaphore RUNNING = new Semaphore(2);
  private static final long PROGRESS_NANOS = 500_000_000L;

  private final OutputStream out;
  private final long of;
  private long last;
  private boolean told;

  private LineStream(OutputStream out, long of) {
    this.out = out;
    this.of = of;
    this.last = System.nanoTime();
  }

  /**
   * Does the work and writes its lines; everything that can be refused must have been refused before.
   *
   * @param of how many entries of the record there are to read
   */
  static void answer(HttpServletResponse response, long of, Consumer<LineStream> work) throws IOException {
    if (!RUNNING.tryAcquire()) {
      throw Problem.retryAfter(ProblemCode.OVERLOADED, "two such questions are being answered already; try again", 5);
    }
    try {
      response.setStatus(HttpServletResponse.SC_OK);
      response.setContentType(MEDIA_TYPE);
      var lines = new LineStream(response.getOutputStream(), of);
      try {
        lines.progress(0);
        work.accept(lines);
      } catch (UncheckedIOException e) {
        throw e.getCause(); // nobody listens any more
      } catch (RuntimeException e) {
        LOG.warn("a rehearsal failed", e);
        lines.write(Json.object().put("type", "failed")
            .put("detail", "it could not be carried through; nothing was changed, try again").build());
      }
    } finally {
      RUNNING.release();
    }
  }

  /** Says how far it has come, at most twice a second. */
  void progress(long read) {
    if (!told || System.nanoTime() - last >= PROGRESS_NANOS) {
      told = true;
      last = System.nanoTime();
      write(Json.object().put("type", "progress").put("read", read).put("of", of).build());
    }
  }

  void write(Json line) {
    try {
      out.write(JsonText.inOrder(line));
      out.write('\n');
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
