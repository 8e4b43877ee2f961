package io.bursar.signer;

import java.util.concurrent.ConcurrentHashMap;

import io.bursar.log.Checkpoint;
import io.bursar.log.NoteKey;
import io.bursar.log.SignedNote;
import io.bursar.permit.Bytes;

/**
 * Heads whose signatures were verified lately: many payments are shown to be under the same one, and a signature takes longer to verify
 * than all else that is looked at.
 */
final class VerifiedHeads {
  private static final int MOST = 1_000;

  private record Head(NoteKey key, Bytes note) {}

  private final ConcurrentHashMap<Head, Checkpoint> known = new ConcurrentHashMap<>();

  /**
   * What a note says, if the key has signed it.
   *
   * @throws IllegalArgumentException if it has not, or the note is no checkpoint
   */
  Checkpoint open(SignedNote note, NoteKey key) {
    var head = new Head(key, Bytes.of(note.encode()));
    var checkpoint = known.get(head);
    if (checkpoint == null) {
      checkpoint = Checkpoint.open(note, key);
      if (known.size() >= MOST) {
        known.clear();
      }
      known.put(head, checkpoint);
    }
    return checkpoint;
  }
}
