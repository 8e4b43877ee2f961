package io.bursar.store;

import java.util.Optional;

import io.bursar.permit.Bytes;
import io.bursar.permit.JournalMark;

/** How far the signer's journal had come, as it said itself from time to time. */
public final class SignerMarks {
  private final Database database;

  public SignerMarks(Database database) {
    this.database = database;
  }

  /** The mark that reaches furthest. */
  public Optional<JournalMark> last() {
    return database.sql().sql("SELECT at, length, checksum FROM signer_mark ORDER BY at DESC LIMIT 1")
        .query((row, n) -> new JournalMark(Directory.instant(row, "at"), row.getLong("length"),
            Bytes.of(row.getBytes("checksum"))))
        .optional();
  }

  /** Keeps a mark. */
  public void add(JournalMark mark) {
    database.sql().sql("""
        INSERT INTO signer_mark (at, length, checksum) VALUES (:at, :length, :checksum) ON CONFLICT DO NOTHING
        """).param("at", Directory.utc(mark.at())).param("length", mark.length())
        .param("checksum", mark.checksum().toByteArray()).update();
  }
}
