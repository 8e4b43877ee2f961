package io.bursar.signer;

import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.logging.Formatter;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/**
 * The log as lines of time, level and message. The platform's own formatter walks the stack for each line, to find who wrote it, and
 * takes a fifth of the time that a signature does.
 */
final class LogLines extends Formatter {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSxx", Locale.ROOT)
      .withZone(ZoneId.systemDefault());

  private final Formatter withTrace = new SimpleFormatter();

  private LogLines() {}

  /** Has everything that is logged written so. */
  static void install() {
    for (var handler : Logger.getLogger("").getHandlers()) {
      handler.setFormatter(new LogLines());
    }
  }

  @Override
  public String format(LogRecord record) {
    return record.getThrown() == null
        ? TIME.format(record.getInstant()) + " " + record.getLevel() + " " + formatMessage(record)
            + System.lineSeparator()
        : withTrace.format(record);
  }
}
