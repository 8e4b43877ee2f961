package io.bursar.signer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.OrderText;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerRequest.SignedOrder;

/**
 * Whose orders the signer obeys: those that enough holders of root keys have signed, each once. The one place where that is
 * decided, for every act that no single process or person may bring about.
 *
 * <p>Kept in a directory of the home: {@code root.json} and {@code orders}, the number of the order that was obeyed last.
 */
final class Quorum {
  /** How far ahead an order may expire: it must not lie about for long, signed. */
  static final Duration MOST_LIFE = Duration.ofDays(7);

  private static final Pattern ORDERS = Pattern.compile("(orders v1 ([0-9]{1,18})) ([0-9a-f]{16})\n");
  private static final int MOST_ORDERS_BYTES = 64;

  private final Path directory;
  private final String signer;
  private volatile @Nullable RootSet roots;
  private volatile long number;

  private Quorum(Path directory, String signer, @Nullable RootSet roots, long number) {
    this.directory = directory;
    this.signer = signer;
    this.roots = roots;
    this.number = number;
  }

  /**
   * Reads what is known.
   *
   * @param directory made if it is not there
   * @param signer what the signer's logs are called
   * @throws IOException if something there is damaged
   */
  static Quorum open(Path directory, String signer) throws IOException {
    SafeFiles.makeDirectory(directory);
    var file = directory.resolve("root.json");
    RootSet roots = null;
    if (Files.exists(file)) {
      try {
        roots = RootSet.parse(SafeFiles.read(file, RootSet.MOST_BYTES));
      } catch (IllegalArgumentException damaged) {
        throw new IOException("`" + file + "` is damaged: " + damaged.getMessage());
      }
    }
    return new Quorum(directory, signer, roots, lastNumber(directory.resolve("orders")));
  }

  private static long lastNumber(Path file) throws IOException {
    if (!Files.exists(file)) {
      return 0;
    }
    var match = ORDERS.matcher(new String(SafeFiles.read(file, MOST_ORDERS_BYTES), StandardCharsets.US_ASCII));
    if (!match.matches() || !check(match.group(1)).equals(match.group(3))) {
      throw new IOException("`" + file + "` is damaged: it should hold the number of the last order that was obeyed; "
          + "restore it, for without it an old order could be given again");
    }
    return Long.parseLong(match.group(2));
  }

  /**
   * Takes the first set, when the signer is installed.
   *
   * @throws IOException if there is another one: it can only be replaced by an order
   */
  static void install(Path directory, byte[] set) throws IOException {
    RootSet given;
    try {
      given = RootSet.parse(set);
    } catch (IllegalArgumentException malformed) {
      throw new IOException(malformed.getMessage(), malformed);
    }
    SafeFiles.makeDirectory(directory);
    var file = directory.resolve("root.json");
    if (!Files.exists(file)) {
      SafeFiles.create(file, given.encode());
    } else if (!RootSet.parse(SafeFiles.read(file, RootSet.MOST_BYTES)).equals(given)) {
      throw new IOException("this home has another root set; only an order of its holders replaces it");
    }
  }

  /** Whether there is a root set, so that orders can be given at all. */
  boolean isThere() {
    return roots != null;
  }

  /** How many different keys must sign an order; 0 where there is no root set. */
  int threshold() {
    var present = roots;
    return present == null ? 0 : present.threshold();
  }

  /** The number of the order that was obeyed last; 0 if none was. */
  long number() {
    return number;
  }

  /**
   * What an order would have to say to be obeyed next.
   *
   * @param content the bytes that say how
   */
  OrderText text(String order, String subject, byte[] content, Instant expiresAt) {
    return new OrderText(signer, number + 1, order, subject, Digest32.sha256(content), expiresAt);
  }

  /**
   * Uses an order up, if it is one to do exactly this. Act only if nothing is answered; if acting then fails, the holders must
   * sign again.
   *
   * @param given what was received
   * @param order what is about to be done
   * @param subject and to what
   * @param content and how
   * @return why not, fit for a client; empty if the order stands
   * @throws IOException if its number cannot be made durable; it does not stand then
   */
  synchronized Optional<String> use(SignedOrder given, String order, String subject, byte[] content, Instant now)
      throws IOException {
    var present = roots;
    if (present == null) {
      return Optional.of("this signer has no root set; give it one with `init --root-set FILE`");
    }
    OrderText text;
    try {
      text = text(given);
    } catch (IllegalArgumentException malformed) {
      return Optional.of(String.valueOf(malformed.getMessage()));
    }
    var wanted = new OrderText(signer, text.number(), order, subject, Digest32.sha256(content), text.expiresAt());
    if (!text.equals(wanted)) {
      return Optional.of("the order is not for this: it should say\n" + wanted);
    }
    if (!now.isBefore(text.expiresAt()) || text.expiresAt().isAfter(now.plus(MOST_LIFE))) {
      return Optional.of("the order must expire within " + MOST_LIFE.toDays() + " days and not before now, not at "
          + text.expiresAt());
    }
    if (text.number() <= number) {
      return Optional.of("order " + number + " was obeyed; another one must have a higher number than that");
    }
    int signed = present.signers(text.bytes(), given.signatures());
    if (signed < present.threshold()) {
      return Optional.of("the order is signed by " + signed + " root keys; it takes " + present.threshold());
    }
    var line = "orders v1 " + text.number();
    SafeFiles.replace(directory.resolve("orders"),
        (line + " " + check(line) + "\n").getBytes(StandardCharsets.US_ASCII));
    number = text.number();
    return Optional.empty();
  }

  /** What an order says, whoever has signed it. */
  static OrderText text(SignedOrder given) {
    return OrderText.parse(new String(given.text().toByteArray(), StandardCharsets.ISO_8859_1));
  }

  /** Puts another root set in the place of this one; for who has used an order to do so. */
  synchronized void replace(RootSet next) throws IOException {
    SafeFiles.replace(directory.resolve("root.json"), next.encode());
    roots = next;
  }

  private static String check(String line) {
    return Digest32.sha256(line.getBytes(StandardCharsets.US_ASCII)).toString().substring(0, 16);
  }
}
