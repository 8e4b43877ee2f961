package io.bursar.store;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.policy.Decision;
import io.bursar.spend.Id;

/**
 * What happens so often that the record has only how often: log-ins that failed, and dry-runs. They are counted here, and one entry
 * of each kind a tenant says what there was since the last, at most one in {@value #PERIOD_SECONDS} seconds, however much there
 * was. What was not written yet is lost if the process is killed.
 */
public final class Tally implements AutoCloseable {
  static final int PERIOD_SECONDS = 60;
  /** More keys or agents than this are counted together in one entry. */
  static final int SUBJECTS_MAX = 300;
  /** What is counted together. */
  static final String OTHERS = "others";

  private static final Duration PERIOD = Duration.ofSeconds(PERIOD_SECONDS);
  private static final String FAILED_LOGINS = "login.failed";
  private static final String DRY_RUNS = "dry_run.counted";

  private record Kept(UUID tenantId, String kind) {}

  /** What was counted, by whom it is of, and by what it was. */
  private static final class Counts {
    final Instant since;
    final Map<String, Map<String, Long>> bySubject = new TreeMap<>();

    Counts(Instant since) {
      this.since = since;
    }

    void add(String subject, String what, long count) {
      boolean known = bySubject.containsKey(subject) || bySubject.size() < SUBJECTS_MAX;
      bySubject.computeIfAbsent(known ? subject : OTHERS, key -> new TreeMap<>()).merge(what, count, Long::sum);
    }
  }

  private final Database database;
  private final AuditEntries audit;
  private final Directory directory;
  private final Clock clock;
  private final Map<Kept, Counts> counted = new HashMap<>();
  private final Map<Kept, Instant> written = new HashMap<>();
  private long strangers;

  public Tally(Database database, AuditEntries audit, Directory directory, Clock clock) {
    this.database = database;
    this.audit = audit;
    this.directory = directory;
    this.clock = clock;
  }

  /** A request came with a key that was revoked, or without the signature of the key pair that the key is bound to. */
  public void failedLogin(ApiKeys.ApiKey key) {
    count(new Kept(key.tenantId(), FAILED_LOGINS), Id.API_KEY.text(key.id()), key.role().text());
  }

  /** A request came with a key that nobody has or had. It is nobody's tenant's, so it goes into the operator's record. */
  public synchronized void failedLoginOfStranger() {
    strangers++;
  }

  /** An agent asked what would be decided. */
  public void dryRun(UUID tenantId, UUID agentId, Decision.Effect effect) {
    count(new Kept(tenantId, DRY_RUNS), Id.AGENT.text(agentId), effect.name().toLowerCase(Locale.ROOT));
  }

  private synchronized void count(Kept kept, String subject, String what) {
    counted.computeIfAbsent(kept, key -> new Counts(clock.instant())).add(subject, what, 1);
  }

  /** Writes the entries whose time has come. */
  public void writeDue() {
    write(clock.instant().minus(PERIOD));
  }

  private void write(Instant lastWrittenBefore) {
    nameStrangers();
    for (var due : take(lastWrittenBefore).entrySet()) {
      try {
        write(due.getKey(), due.getValue());
      } catch (RuntimeException e) {
        giveBack(due.getKey(), due.getValue());
        throw e;
      }
    }
  }

  private void nameStrangers() {
    if (strangers() > 0) {
      directory.tenantNamed(Directory.DEFAULT_TENANT).ifPresent(tenant -> {
        synchronized (this) {
          counted.computeIfAbsent(new Kept(tenant.id(), FAILED_LOGINS), key -> new Counts(clock.instant()))
              .add("unknown", "unknown", strangers);
          strangers = 0;
        }
      });
    }
  }

  private synchronized long strangers() {
    return strangers;
  }

  private synchronized Map<Kept, Counts> take(Instant lastWrittenBefore) {
    var due = new HashMap<Kept, Counts>();
    written.values().removeIf(at -> at.isBefore(lastWrittenBefore));
    counted.entrySet().removeIf(entry -> {
      boolean isDue = !written.containsKey(entry.getKey());
      if (isDue) {
        due.put(entry.getKey(), entry.getValue());
      }
      return isDue;
    });
    return due;
  }

  private synchronized void giveBack(Kept kept, Counts counts) {
    var later = counted.put(kept, counts);
    if (later != null) {
      later.bySubject.forEach((subject, whats) -> whats.forEach((what, count) -> counts.add(subject, what, count)));
    }
  }

  private void write(Kept kept, Counts counts) {
    var subjects = new ArrayList<Json>();
    counts.bySubject.forEach((subject, whats) -> {
      var counting = Json.object().put("of", subject);
      whats.forEach(counting::put);
      subjects.add(counting.build());
    });
    database.inTransaction(() -> {
      var slot = audit.next(kept.tenantId());
      audit.write(slot, kept.kind(), null, "service", Json.object().put("since", counts.since.toString())
          .put("counts", new Json.Arr(List.copyOf(subjects))).build());
    });
    synchronized (this) {
      written.put(kept, clock.instant());
    }
  }

  /** Writes all that is left. */
  @Override
  public void close() {
    write(Instant.MAX);
  }
}
