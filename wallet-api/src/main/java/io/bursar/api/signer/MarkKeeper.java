package io.bursar.api.signer;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.bursar.permit.JournalMark;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.SignerMarks;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;

/**
 * Asks the signer, at the start and every minute, whether its journal still holds what it held, and keeps how far it has come. A signer
 * that was put back to an older copy, journal, anchor and all, so hears of it, and signs nothing until a person has looked.
 */
public final class MarkKeeper implements SmartLifecycle {
  private static final Logger LOG = LoggerFactory.getLogger(MarkKeeper.class);
  private static final Duration EVERY = Duration.ofMinutes(1);

  private final SignerClient signer;
  private final SignerMarks marks;
  private final Counter rewound;
  private final ScheduledExecutorService timer = Executors
      .newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("signer-mark").factory());
  private volatile boolean running;

  public MarkKeeper(SignerClient signer, SignerMarks marks, MeterRegistry registry) {
    this.signer = signer;
    this.marks = marks;
    this.rewound = Counter.builder("bursar.signer.rewound")
        .description("How often the signer's journal did not hold what it once held").register(registry);
  }

  /** Asks once. */
  public void look() {
    try {
      var known = marks.last();
      switch (signer.ask(new SignerRequest.Mark(known))) {
        case SignerReply.MarkIs(var mark) -> keep(known, mark);
        case SignerReply.Refused(var reason, var message) when reason == SignerRefusal.JOURNAL_REWOUND -> {
          rewound.increment();
          LOG.error("{}; see `accept-journal` in the signer's README", message);
        }
        case SignerReply other -> LOG.warn("the signer does not say how far its journal has come: {}", other);
      }
    } catch (SignerUnreachable | RuntimeException e) {
      LOG.debug("the signer's journal could not be looked at", e);
    }
  }

  private void keep(Optional<JournalMark> known, JournalMark mark) {
    if (known.isEmpty() || known.get().length() != mark.length()) {
      marks.add(mark);
    }
  }

  @Override
  public void start() {
    running = true;
    var _ = timer.scheduleWithFixedDelay(this::look, 0, EVERY.toSeconds(), TimeUnit.SECONDS);
  }

  @Override
  public void stop() {
    running = false;
    timer.shutdownNow();
  }

  @Override
  public boolean isRunning() {
    return running;
  }
}
