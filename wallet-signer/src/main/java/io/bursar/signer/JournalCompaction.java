package io.bursar.signer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;

import io.bursar.permit.Intent;
import io.bursar.permit.JournalMark;
import io.bursar.signer.JournalFile.End;

/**
 * Puts a journal in the place of another that says the same in fewer bytes: what was first signed for each nonce and spend, what first
 * canceled either, permits that have not expired, what is frozen, and how far the other had come. Permits that have expired, their
 * signatures, and what was signed again are left out. Nothing about a nonce or a spend is ever forgotten.
 *
 * <p>
 * The other one stays beside it under another name. Until the last step, a rename, it is the journal and what was made so far is made
 * anew by the next attempt; from then on the compacted one is. That takes the place only once it was read back and found to judge
 * every nonce and every spend by the same intent.
 */
final class JournalCompaction {
  /** How much goes into one group, in bytes, but for the rest of the last record. */
  private static final int GROUP_BYTES = 512 << 10;

  /**
   * What came of it.
   *
   * @param records how many transfers were agreed to in all
   * @param bytesBefore of the journal without the room behind it
   * @param bytesAfter of what took its place
   * @param before what the old one is called now
   */
  record Result(long records, long bytesBefore, long bytesAfter, Path before) {}

  private final Path path;
  private final Path next;
  private final Instant now;
  private final JournalMemory memory = new JournalMemory(Ceilings.NONE);
  private final ArrayDeque<End> ends = new ArrayDeque<>();
  /** The latest expiry of all permits that are left out: by that and not by the clock, which may be wrong, they are refused. */
  private Instant forgottenUntil = Instant.EPOCH;

  private JournalCompaction(Path path, Instant now) {
    this.path = path;
    this.next = path.resolveSibling(path.getFileName() + ".compacted");
    this.now = now.truncatedTo(ChronoUnit.MILLIS);
  }

  /**
   * Compacts a journal that nobody else has open.
   *
   * @param path of the journal; what was there is called {@code journal.before-} and its length from then on
   * @param anchor that says how far it had come
   * @throws JournalAnchor.LostException if it had come further than it reaches now
   * @throws IOException if it cannot be read, nothing would be gained, or what was made of it does not say the same. It is left as it was
   */
  static Result compact(Path path, JournalAnchor anchor, Instant now) throws IOException {
    return new JournalCompaction(path, now).run(anchor);
  }

  private Result run(JournalAnchor anchor) throws IOException {
    Files.deleteIfExists(next);
    try (var file = load(path, memory, ends)) {
      anchor.check(file);
      if (ends.isEmpty()) {
        throw new IOException("nothing is in the journal `" + path + "` yet");
      }
      file.endsBefore().forEach(this::prepend);
      write();
      long bytes = check();
      if (bytes >= file.bytes()) {
        throw new IOException("nothing would be gained: the journal has " + file.bytes() + " bytes, and would have "
            + bytes);
      }
      return new Result(memory.records(), file.bytes(), bytes, exchange(file.length()));
    } finally {
      Files.deleteIfExists(next);
    }
  }

  private void prepend(End older) {
    if (ends.size() < JournalFile.MOST_ENDS) {
      ends.addFirst(older);
    }
  }

  private static JournalFile load(Path path, JournalMemory memory, ArrayDeque<End> ends) throws IOException {
    var records = JournalRecord.each(memory::load);
    return JournalFile.open(path, SafeFiles.open(path), (content, offset, end) -> {
      records.group(content, offset, end);
      ends.addLast(end);
      if (ends.size() > JournalFile.MOST_ENDS) {
        ends.removeFirst();
      }
    });
  }

  private void write() throws IOException {
    var group = new ByteArrayOutputStream();
    try (var made = JournalFile.succeed(next, ends)) {
      readAgain((record, at) -> {
        keep(record, at, group);
        if (group.size() >= GROUP_BYTES) {
          made.append(group.toByteArray());
          group.reset();
        }
      });
      memory.frozen().forEach((scope, why) -> group.writeBytes(new JournalRecord.Freeze(now, scope, why).encode()));
      group.writeBytes(memory.compacted(now, forgottenUntil).encode());
      made.append(group.toByteArray());
      made.finish();
    }
  }

  private void readAgain(JournalRecord.Reader reader) throws IOException {
    JournalFile.open(path, SafeFiles.open(path), JournalRecord.each(reader)).close();
  }

  private void keep(JournalRecord record, long at, ByteArrayOutputStream group) {
    switch (record) {
      case JournalRecord.Sign(var time, _, var permit, var intent) -> {
        keep(time, intent, at, group);
        keep(new JournalRecord.UsedPermit(time, permit.permitId(), permit.expiresAt()), group);
      }
      case JournalRecord.Kept(var time, var intent) -> keep(time, intent, at, group);
      case JournalRecord.UsedPermit permit -> keep(permit, group);
      case JournalRecord.Freeze _,JournalRecord.Lift _,JournalRecord.Compacted _ -> {
        // said once, at the end
      }
    }
  }

  private void keep(Instant time, Intent intent, long at, ByteArrayOutputStream group) {
    if (memory.firsts().holds(intent, at)) {
      group.writeBytes(new JournalRecord.Kept(time, intent).encode());
    }
  }

  private void keep(JournalRecord.UsedPermit permit, ByteArrayOutputStream group) {
    if (permit.expiresAt().isAfter(now)) {
      group.writeBytes(permit.encode());
    } else if (permit.expiresAt().isAfter(forgottenUntil)) {
      forgottenUntil = permit.expiresAt();
    }
  }

  /** @return the bytes of what was made, which says the same */
  private long check() throws IOException {
    var other = new JournalMemory(Ceilings.NONE);
    try (var made = load(next, other, new ArrayDeque<>())) {
      for (var end : ends) {
        require(made.holds(new JournalMark(now, end.length(), end.checksum())), "does not know how far it had come");
      }
      require(other.saysTheSame(memory), "holds another number of records, or freezes");
      readAgain((record, at) -> {
        var intent = record.agreedTo();
        if (intent.isPresent()) {
          var kept = new JournalRecord.Kept(record.at(), intent.get());
          require(memory.firsts().agrees(intent.get(), at, other.firsts(), there -> recordAt(made, there).equals(kept)),
              "lacks what was agreed to at byte " + at);
        }
        if (record instanceof JournalRecord.Sign(_, _, var permit, _) && permit.expiresAt().isAfter(now)) {
          require(other.isUsed(permit.permitId()), "lacks the permit that was used at byte " + at);
        }
      });
      return made.bytes();
    }
  }

  private static JournalRecord recordAt(JournalFile file, long offset) throws IOException {
    int length = 2 + (ByteBuffer.wrap(file.read(offset, 2)).getShort() & 0xffff);
    return JournalRecord.read(ByteBuffer.wrap(file.read(offset, length)), offset);
  }

  private void require(boolean holds, String otherwise) throws IOException {
    if (!holds) {
      throw new IOException("the journal `" + path + "` is left as it is: what was made of it " + otherwise);
    }
  }

  /** @return what the old one is called now */
  private Path exchange(long length) throws IOException {
    var before = path.resolveSibling(path.getFileName() + ".before-" + length);
    if (!Files.exists(before) || !Files.isSameFile(before, path)) { // an attempt may have come as far as here
      Files.createLink(before, path);
    }
    SafeFiles.syncDirectory(path);
    var owner = Files.getOwner(path);
    if (!Files.getOwner(next).equals(owner)) { // whoever runs this may not be the user that the signer runs as
      Files.setOwner(next, owner);
    }
    Files.move(next, path, StandardCopyOption.ATOMIC_MOVE);
    SafeFiles.syncDirectory(path);
    return before;
  }
}
