package io.bursar.signer;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.logging.Formatter;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * The log as lines of time, level and message. The platform's own formatter walks the stack for each line, to find who wrote it, and
 * takes a fifth of the time that a signature does.
 */
final class LogLines extends Formatter {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSxx", Locale.ROOT)
      .withZone(ZoneId.systemDefault());

  private LogLines() {}

  /** Has everything that is logged written so. */
  static void install() {
    for (var handler : Logger.getLogger("").getHandlers()) {
      handler.setFormatter(new LogLines());
    }
  }

  @Override
  public String format(LogRecord record) {
    var line = TIME.format(record.getInstant()) + " " + record.getLevel() + " " + formatMessage(record)
        + System.lineSeparator();
    var thrown = record.getThrown();
    if (thrown == null) {
      return line;
    }
    var trace = new StringWriter().append(line);
    thrown.printStackTrace(new PrintWriter(trace, true));
    return trace.toString();
  }
}
