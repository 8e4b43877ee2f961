package io.bursar.log;

import java.util.Arrays;
import java.util.List;

import io.bursar.permit.Digest32;

/**
 * The head of a log: how long it is and what it holds. As text three lines, and more if others add them: origin, size, root.
 *
 * @param origin the name of the log, one line
 * @param size the number of entries, 0 to 2^63 − 1
 * @param root of the tree of that size
 * @param extensions further lines, none of them empty; ours has none
 * @see <a href="https://c2sp.org/tlog-checkpoint">C2SP tlog-checkpoint</a>
 */
public record Checkpoint(String origin, long size, Digest32 root, List<String> extensions) {
  public Checkpoint {
    extensions = List.copyOf(extensions);
    requireLine(origin);
    extensions.forEach(Checkpoint::requireLine);
    if (size < 0) {
      throw new IllegalArgumentException("a log has 0 entries or more, not `" + size + "`");
    }
  }

  /** A checkpoint without further lines. */
  public Checkpoint(String origin, long size, Digest32 root) {
    this(origin, size, root, List.of());
  }

  /** What is signed. */
  public String text() {
    var text = new StringBuilder(origin).append('\n').append(size).append('\n').append(NoteText.base64(root.bytes()))
        .append('\n');
    extensions.forEach(line -> text.append(line).append('\n'));
    return text.toString();
  }

  /**
   * Reads the text of a checkpoint.
   *
   * @throws IllegalArgumentException if it is not exactly one
   */
  public static Checkpoint parse(String text) {
    if (!text.endsWith("\n")) {
      throw new IllegalArgumentException("a checkpoint must end in the end of a line");
    }
    var lines = text.substring(0, text.length() - 1).split("\n", -1);
    if (lines.length < 3) {
      throw new IllegalArgumentException("a checkpoint has a line each for its origin, size and root");
    }
    return new Checkpoint(lines[0], NoteText.decimal(lines[1]), NoteText.digest(lines[2]),
        Arrays.asList(lines).subList(3, lines.length));
  }

  /**
   * The checkpoint in a note that the log's key signed.
   *
   * @param key the log's
   * @throws IllegalArgumentException if it is malformed, of another origin than the key's name, or not signed by the key
   */
  public static Checkpoint open(SignedNote note, NoteKey key) {
    if (note.verify(List.of(key)).isEmpty()) {
      throw new IllegalArgumentException("the checkpoint has no signature of `" + key.name() + "`");
    }
    var checkpoint = parse(note.text());
    if (!checkpoint.origin.equals(key.name())) {
      throw new IllegalArgumentException(
          "the checkpoint is of `" + checkpoint.origin + "`, not of `" + key.name() + "`");
    }
    return checkpoint;
  }

  private static void requireLine(String line) {
    NoteText.requirePlain(line);
    if (line.isEmpty() || line.contains("\n")) {
      throw new IllegalArgumentException("the lines of a checkpoint must not be empty");
    }
  }
}
