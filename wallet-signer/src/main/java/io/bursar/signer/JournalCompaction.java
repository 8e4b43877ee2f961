package io.bursar.signer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;

import io.bursar.permit.JournalMark;
import io.bursar.signer.JournalFile.End;

/**
 * Puts a journal in the place of another that says the same in fewer bytes: what was first signed for each nonce and spend, what first
 * canceled either, permits that have not expired, what is frozen, and how far the other had come. Permits that have expired, their
 * signatures, and what was signed again are left out. Nothing about a nonce or a spend is ever forgotten.
 *
 * <p>
 * Marks of the other one are held as long as they are among the ends of its last {@value JournalFile#MOST_ENDS} groups; older ones ask for
 * a person. The anchor is moved to its end first.
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
   * @param cutBytes of an unfinished last write that was cut off before
   * @param bytesBefore of the journal without the room behind it
   * @param bytesAfter of what took its place
   * @param before what the old one is called now
   */
  record Result(long records, long cutBytes, long bytesBefore, long bytesAfter, Path before) {}

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
    return new JournalCompaction(path.toRealPath(), now).run(anchor); // it may be a link to another disk
  }

  private Result run(JournalAnchor anchor) throws IOException {
    Files.deleteIfExists(next);
    try (var file = load(path, memory, ends)) {
      anchor.check(file);
      anchor.keep(file.mark(now)); // one that lags could be older than the ends that stay known
      if (ends.isEmpty()) {
        throw new IOException("nothing is in the journal `" + path + "` yet");
      }
      file.endsBefore().forEach(this::prepend);
      write();
      long bytes = check(anchor);
      if (bytes >= file.bytes()) {
        throw new IOException("nothing would be gained: the journal has " + file.bytes() + " bytes, and would have "
            + bytes);
      }
      return new Result(memory.records(), file.cutBytes(), file.bytes(), bytes, exchange(file.length()));
    } finally {
      Files.deleteIfExists(next);
    }
  }

  private void prepend(End older) {
    if (ends.size() < JournalFile.MOST_ENDS) {
      ends.addFirst(older);
    }
  }

  private JournalFile load(Path path, JournalMemory memory, ArrayDeque<End> ends) throws IOException {
    var records = JournalRecord.each(memory::load);
    return JournalFile.open(path, SafeFiles.open(path), (content, offset, end) -> {
      records.group(content, offset, end);
      memory.forget(now.toEpochMilli());
      ends.addLast(end);
      if (ends.size() > JournalFile.MOST_ENDS) {
        ends.removeFirst();
      }
    });
  }

  private void write() throws IOException {
    try (var made = JournalFile.succeed(next, ends)) {
      var groups = new Groups(made);
      readAgain((record, at) -> keep(record, at, groups));
      for (var freeze : memory.frozen().entrySet()) {
        groups.add(new JournalRecord.Freeze(now, freeze.getKey(), freeze.getValue()));
      }
      groups.add(memory.compacted(now, forgottenUntil));
      groups.flush();
      made.finish();
    }
  }

  /** Records on their way into a file, many to a group. */
  private static final class Groups {
    private final JournalFile file;
    private final ByteArrayOutputStream group = new ByteArrayOutputStream();

    Groups(JournalFile file) {
      this.file = file;
    }

    void add(JournalRecord record) throws IOException {
      group.writeBytes(record.encode());
      if (group.size() >= GROUP_BYTES) {
        flush();
      }
    }

    void flush() throws IOException {
      if (group.size() > 0) {
        file.append(group.toByteArray());
        group.reset();
      }
    }
  }

  private void readAgain(JournalRecord.Reader reader) throws IOException {
    JournalFile.open(path, SafeFiles.open(path), JournalRecord.each(reader)).close();
  }

  /** What is frozen is said once, at the end. */
  private void keep(JournalRecord record, long at, Groups groups) throws IOException {
    var intent = record.agreedTo();
    if (intent.isPresent() && memory.firsts().holds(intent.get(), at)) {
      groups.add(new JournalRecord.Kept(record.at(), intent.get()));
    }
    var permit = record.used();
    if (permit.isPresent() && permit.get().expiresAt().isAfter(now)) {
      groups.add(permit.get());
    } else if (permit.isPresent() && permit.get().expiresAt().isAfter(forgottenUntil)) {
      forgottenUntil = permit.get().expiresAt();
    }
  }

  /** @return the bytes of what was made, which says the same */
  private long check(JournalAnchor anchor) throws IOException {
    var other = new JournalMemory(Ceilings.NONE);
    try (var made = load(next, other, new ArrayDeque<>())) {
      anchor.check(made);
      for (var end : ends) {
        require(made.holds(new JournalMark(now, end.length(), end.checksum())), "does not know how far it had come");
      }
      require(other.saysTheSame(memory), "holds another number of records, or freezes");
      readAgain((record, at) -> {
        var intent = record.agreedTo();
        if (intent.isPresent()) {
          var kept = new JournalRecord.Kept(record.at(), intent.get());
          require(
              memory.firsts().agrees(intent.get(), at, other.firsts(),
                  there -> JournalRecord.at(made, there).equals(kept)),
              "lacks what was agreed to at byte " + at);
        }
        var permit = record.used();
        require(permit.isEmpty() || other.refuses(permit.get().permitId(), permit.get().expiresAt()),
            "lacks the permit that was used at byte " + at);
      });
      return made.bytes();
    }
  }

  private void require(boolean holds, String otherwise) throws IOException {
    if (!holds) {
      throw new IOException("the journal `" + path + "` is left as it is: what was made of it " + otherwise);
    }
  }

  /** @return what the old one is called now */
  private Path exchange(long length) throws IOException {
    var before = path.resolveSibling(path.getFileName() + ".before-" + length);
    if (Files.exists(before) && !Files.isSameFile(before, path)) {
      throw new IOException("`" + before + "` is there already: move it to where archives are kept");
    }
    var owner = Files.getOwner(path);
    if (!Files.getOwner(next).equals(owner)) { // whoever runs this may not be the user that the signer runs as
      Files.setOwner(next, owner);
    }
    Files.deleteIfExists(before); // a second name, of an attempt that came as far as here
    Files.createLink(before, path);
    SafeFiles.syncDirectory(path);
    try {
      Files.move(next, path, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException | RuntimeException failed) {
      Files.deleteIfExists(before); // it would go on growing with the journal
      throw failed;
    }
    SafeFiles.syncDirectory(path);
    return before;
  }
}
