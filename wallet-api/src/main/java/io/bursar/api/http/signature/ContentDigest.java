package io.bursar.api.http.signature;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashSet;
import java.util.List;

import org.jspecify.annotations.Nullable;

/**
 * Holds a body against the hash of it that was signed.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9530">RFC 9530, Digest Fields</a>
 */
public final class ContentDigest {
  public static final String HEADER = "Content-Digest";

  private static final int LENGTH_MAX = 1_024;

  private ContentDigest() {}

  /**
   * Holds every hash that we know against the body. There must be one if there is a body.
   *
   * @throws Refused if there is none, or one is of another body
   */
  public static void check(List<String> lines, byte[] body) throws Refused {
    if (lines.isEmpty()) {
      if (body.length > 0) {
        throw Refused
            .invalid("the request has a body: send its hash, `" + HEADER + ": sha-256=:<base64>:`, and cover it");
      }
      return;
    }
    var reader = FieldReader.once(HEADER, lines, LENGTH_MAX);
    var named = new HashSet<String>();
    boolean known = false;
    do {
      if (!named.isEmpty()) {
        reader.expectComma();
      }
      var algorithm = reader.key();
      if (!named.add(algorithm)) {
        throw Refused.invalid("`" + HEADER + "` names `" + algorithm + "` twice");
      }
      reader.expect('=');
      var claimed = reader.bytes();
      var actual = hash(algorithm, body);
      if (actual != null && !MessageDigest.isEqual(claimed, actual)) {
        throw Refused.invalid("`" + HEADER + "` has the " + algorithm + " of another body than the " + body.length
            + " bytes that came; hash the bytes that are sent");
      }
      known |= actual != null;
    } while (!reader.isAtEnd());
    if (!known) {
      throw Refused.invalid("`" + HEADER + "` must have a `sha-256` or `sha-512`");
    }
  }

  private static byte @Nullable [] hash(String algorithm, byte[] body) {
    try {
      return switch (algorithm) {
        case "sha-256" -> MessageDigest.getInstance("SHA-256").digest(body);
        case "sha-512" -> MessageDigest.getInstance("SHA-512").digest(body);
        default -> null; // the standard lets others stand beside
      };
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every Java platform has both
    }
  }
}
