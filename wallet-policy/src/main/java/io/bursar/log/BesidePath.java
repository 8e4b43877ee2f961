package io.bursar.log;

import java.util.regex.Pattern;

/**
 * Where a document lies beside a log, because it is too large for an entry or its values are nobody's business: as
 * {@code policies/sha256-….json} or {@code sets/sha256-….json}, below the log's prefix. The name is the hash of the document's
 * canonical JSON (RFC 8785), which an entry of the log has, so nobody need be believed for what the file holds.
 *
 * @param digest {@code sha256:} and 64 digits in lower case
 */
public record BesidePath(Kind kind, String digest) {
  /** What lies beside a log. */
  public enum Kind {
    /** Versions of policies. */
    POLICIES("policies"),
    /** The values of versions of sets, as a JSON array in ascending order. */
    SETS("sets");

    private final String folder;

    Kind(String folder) {
      this.folder = folder;
    }
  }

  private static final Pattern DIGEST = Pattern.compile("sha256:[0-9a-f]{64}");
  private static final Pattern FILE = Pattern.compile("sha256-[0-9a-f]{64}\\.json");

  public BesidePath {
    if (!DIGEST.matcher(digest).matches()) {
      throw new IllegalArgumentException("a digest is `sha256:` and 64 digits, not `" + digest + "`");
    }
  }

  /**
   * The document that a file of this name is.
   *
   * @throws IllegalArgumentException if it is no such name
   */
  public static BesidePath parse(Kind kind, String file) {
    if (!FILE.matcher(file).matches()) {
      throw new IllegalArgumentException("expected a name such as `sha256-<64 digits>.json`");
    }
    return new BesidePath(kind, file.substring(0, file.length() - ".json".length()).replace('-', ':'));
  }

  /** The path. */
  public String text() {
    return kind.folder + "/" + digest.replace(':', '-') + ".json";
  }
}
