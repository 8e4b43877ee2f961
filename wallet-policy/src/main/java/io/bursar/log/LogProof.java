package io.bursar.log;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * The receipt of one entry: one small text file (`.tlog-proof`) that shows, with nothing but the log's public key, that the
 * entry is in the log.
 *
 * @param extra further bytes for whoever knows them; at most 1,024; ours has none
 * @param index of the entry
 * @param hashes the inclusion proof, the leaf's sibling first; at most 63
 * @param checkpoint whose tree holds the entry
 * @see <a href="https://c2sp.org/tlog-proof">C2SP tlog-proof</a>
 */
public record LogProof(Optional<Bytes> extra, long index, List<Digest32> hashes, SignedNote checkpoint) {
  /** The longest proof of inclusion: no tree is deeper. */
  public static final int HASHES_MAX = 63;

  private static final String HEADER = "c2sp.org/tlog-proof@v1\n";
  private static final String EXTRA = "extra ";
  private static final String INDEX = "index ";
  private static final int EXTRA_MAX = 1024;

  public LogProof {
    hashes = List.copyOf(hashes);
    if (index < 0 || hashes.size() > HASHES_MAX) {
      throw new IllegalArgumentException("a proof has an index of 0 or more, and at most 63 hashes");
    }
    if (extra.isPresent() && (extra.get().size() == 0 || extra.get().size() > EXTRA_MAX)) {
      throw new IllegalArgumentException("the extra data of a proof are 1 to 1024 bytes");
    }
  }

  /** The file. */
  public byte[] encode() {
    var out = new StringBuilder(HEADER);
    extra.ifPresent(bytes -> out.append(EXTRA).append(NoteText.base64(bytes.toByteArray())).append('\n'));
    out.append(INDEX).append(index).append('\n');
    hashes.forEach(hash -> out.append(NoteText.base64(hash.bytes())).append('\n'));
    return out.append('\n').append(new String(checkpoint.encode(), StandardCharsets.UTF_8)).toString()
        .getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Reads the file.
   *
   * @throws IllegalArgumentException if it is malformed in any way
   */
  public static LogProof parse(byte[] file) {
    var text = NoteText.utf8(file);
    int split = text.indexOf("\n\n");
    if (!text.startsWith(HEADER) || split < HEADER.length()) {
      throw new IllegalArgumentException("a proof begins with `c2sp.org/tlog-proof@v1` and the index of its entry");
    }
    var lines = new ArrayList<>(Arrays.asList(text.substring(HEADER.length(), split).split("\n", -1)));
    Optional<Bytes> extra = lines.getFirst().startsWith(EXTRA)
        ? Optional.of(Bytes.of(NoteText.base64(lines.removeFirst().substring(EXTRA.length()))))
        : Optional.empty();
    if (lines.isEmpty() || !lines.getFirst().startsWith(INDEX)) {
      throw new IllegalArgumentException("a proof names the index of its entry");
    }
    long index = NoteText.decimal(lines.removeFirst().substring(INDEX.length()));
    var note = SignedNote.parse(text.substring(split + 2).getBytes(StandardCharsets.UTF_8));
    return new LogProof(extra, index, lines.stream().map(NoteText::digest).toList(), note);
  }

  /**
   * Checks that the entry is in the log.
   *
   * @param key the log's
   * @return the checkpoint whose tree holds the entry
   * @throws IllegalArgumentException if the checkpoint is not the log's or its tree does not hold this entry at this index
   */
  public Checkpoint verify(Digest32 leafHash, NoteKey key) {
    var head = Checkpoint.open(checkpoint, key);
    if (!Merkle.includes(index, head.size(), leafHash, hashes, head.root())) {
      throw new IllegalArgumentException("the log does not hold this entry at index " + index);
    }
    return head;
  }
}
