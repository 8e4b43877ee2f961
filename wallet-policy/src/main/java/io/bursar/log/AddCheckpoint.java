package io.bursar.log;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

import io.bursar.permit.Digest32;

/**
 * What a log sends to a witness: the size that the witness saw last, the proof that the log has only grown since, and the new
 * checkpoint.
 *
 * @param oldSize 0 if the witness has seen none
 * @param proof of consistency; empty from size 0; at most 63
 * @param checkpoint signed by the log
 * @see <a href="https://c2sp.org/tlog-witness">C2SP tlog-witness</a>
 */
public record AddCheckpoint(long oldSize, List<Digest32> proof, SignedNote checkpoint) {
  private static final String OLD = "old ";

  public AddCheckpoint {
    proof = List.copyOf(proof);
    if (oldSize < 0 || proof.size() > LogProof.HASHES_MAX) {
      throw new IllegalArgumentException("a request has an old size of 0 or more, and at most 63 hashes");
    }
  }

  /** The body of the request. */
  public byte[] encode() {
    var out = new StringBuilder(OLD).append(oldSize).append('\n');
    proof.forEach(hash -> out.append(NoteText.base64(hash.bytes())).append('\n'));
    return out.append('\n').append(new String(checkpoint.encode(), StandardCharsets.UTF_8)).toString()
        .getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Reads the body of a request.
   *
   * @throws IllegalArgumentException if it is malformed in any way
   */
  public static AddCheckpoint parse(byte[] body) {
    var text = NoteText.utf8(body);
    int split = text.indexOf("\n\n");
    if (split < 0 || !text.startsWith(OLD)) {
      throw new IllegalArgumentException("expected `old <size>`, a proof, an empty line and a checkpoint");
    }
    var lines = Arrays.asList(text.substring(0, split).split("\n", -1));
    return new AddCheckpoint(NoteText.decimal(lines.getFirst().substring(OLD.length())),
        lines.subList(1, lines.size()).stream().map(NoteText::digest).toList(),
        SignedNote.parse(text.substring(split + 2).getBytes(StandardCharsets.UTF_8)));
  }
}
