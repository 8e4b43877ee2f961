package io.bursar.api.witness;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import io.bursar.log.AddCheckpoint;
import io.bursar.log.Checkpoint;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.log.NoteSigner;
import io.bursar.log.SignedNote;
import io.bursar.permit.Digest32;

/**
 * A witness: signs every head of the logs that it knows, and never two that contradict each other. What it saw last of each log is on
 * the disk before its signature is given out.
 *
 * @see <a href="https://c2sp.org/tlog-witness">C2SP tlog-witness</a>
 */
final class Witness {
  /** What it answers to a head; the numbers are those of HTTP. */
  sealed interface Answer {
    /** It has seen the head; the line of its signature. */
    record Signed(SignedNote.Signature signature) implements Answer {}

    /** It last saw a head of another size than the proof begins with. */
    record Conflict(long size) implements Answer {}

    /** It does not sign: 400, 403, 404 or 422. */
    record Refused(int status, String why) implements Answer {}
  }

  private final NoteSigner signer;
  private final Map<String, NoteKey> logs = new HashMap<>();
  private final Path directory;
  private final InstantSource clock;

  /**
   * @param signer makes cosignatures
   * @param logs the keys of the logs that it signs for
   * @param directory of what it saw last, one file a log; it must be there
   */
  Witness(NoteSigner signer, List<NoteKey> logs, Path directory, InstantSource clock) {
    this.signer = signer;
    logs.forEach(key -> this.logs.put(key.name(), key));
    this.directory = directory;
    this.clock = clock;
  }

  /** Looks at a head. One at a time, so that what is compared is what is stored. */
  synchronized Answer add(AddCheckpoint request) throws IOException {
    Checkpoint head;
    try {
      head = Checkpoint.parse(request.checkpoint().text());
    } catch (IllegalArgumentException malformed) {
      return new Answer.Refused(400, String.valueOf(malformed.getMessage()));
    }
    var key = logs.get(head.origin());
    if (key == null) {
      return new Answer.Refused(404, "this witness does not know the log");
    }
    if (!request.checkpoint().isSignedBy(key)) {
      return new Answer.Refused(403, "the head is not signed by the key of the log");
    }
    if (request.oldSize() > head.size()) {
      return new Answer.Refused(400, "the old size is larger than the new one");
    }
    var last = last(head.origin());
    long lastSize = last.map(Checkpoint::size).orElse(0L);
    if (request.oldSize() != lastSize) {
      return new Answer.Conflict(lastSize);
    }
    if (!follows(last, head, request.proof())) {
      return new Answer.Refused(422, "the head does not begin with what this witness has seen of the log");
    }
    var signature = signer.cosign(request.checkpoint().text(), clock.instant());
    store(head.origin(), request.checkpoint().with(List.of(signature)).encode());
    return new Answer.Signed(signature);
  }

  private static boolean follows(Optional<Checkpoint> last, Checkpoint head, List<Digest32> proof) {
    if (last.isEmpty() || last.get().size() == 0) {
      return proof.isEmpty() && (head.size() > 0 || head.root().equals(Merkle.emptyRoot()));
    }
    return Merkle.isConsistent(last.get().size(), last.get().root(), head.size(), head.root(), proof);
  }

  /** The last head that it signed of a log, with its signature, by the hash of the log's name in hexadecimal. */
  Optional<byte[]> seen(String originHash) throws IOException {
    var file = directory.resolve(originHash);
    return originHash.matches("[0-9a-f]{64}") && Files.exists(file)
        ? Optional.of(Files.readAllBytes(file))
        : Optional.empty();
  }

  private Optional<Checkpoint> last(String origin) throws IOException {
    return seen(hash(origin)).map(bytes -> Checkpoint.parse(SignedNote.parse(bytes).text()));
  }

  private void store(String origin, byte[] note) throws IOException {
    var file = directory.resolve(hash(origin));
    var beside = directory.resolve(hash(origin) + ".new");
    Files.deleteIfExists(beside);
    try (var out = FileChannel.open(beside, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
      var buffer = ByteBuffer.wrap(note);
      while (buffer.hasRemaining()) {
        out.write(buffer);
      }
      out.force(true);
    }
    Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
    try (var parent = FileChannel.open(directory, StandardOpenOption.READ)) {
      parent.force(true);
    }
  }

  static String hash(String origin) {
    return Digest32.sha256(origin.getBytes(StandardCharsets.UTF_8)).toString();
  }
}
