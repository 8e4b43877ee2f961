package io.bursar.store;

import java.lang.ref.WeakReference;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.ValueSet;
import io.bursar.spend.Id;

/** Named sets of values and their immutable versions. */
public final class ValueSets {
  /**
   * One version of a set.
   *
   * @param version counts the versions of the set from 1
   * @param digest {@code sha256:} and the SHA-256 of the JSON array of its values (RFC 8785), in ascending order
   * @param size how many values it has
   */
  public record Version(UUID setId, String name, ValueSet.Kind kind, int version, String digest, int size,
      Instant createdAt) {
    /** How a policy names it. */
    public String reference() {
      return name + "@" + version;
    }
  }

  private static final String SELECT = """
      SELECT s.set_id, s.name, s.kind, v.version, v.digest, cardinality(v.items) AS size, v.created_at
      FROM value_set s JOIN value_set_version v ON v.tenant_id = s.tenant_id AND v.set_id = s.set_id
      WHERE s.tenant_id = :tenant""";

  private record Key(UUID setId, int version) {}

  /** A version never changes, and may be large: one copy serves all policies that name it, and goes when none does. */
  private static final Map<Key, WeakReference<ValueSet>> KEPT = new ConcurrentHashMap<>();
  private static final int KEPT_MAX = 10_000;

  private final Database database;
  private final AuditEntries audit;

  public ValueSets(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /**
   * Makes a set with its first version; empty if the name is taken.
   *
   * @param values in canonical form
   */
  public Optional<Version> create(UUID tenantId, String name, ValueSet.Kind kind, SortedSet<String> values,
      String actor) {
    return Directory.unlessTaken(() -> database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var setId = Ids.next(slot.at());
      database.sql().sql("""
          INSERT INTO value_set (tenant_id, set_id, name, kind, created_at) VALUES (:tenant, :id, :name, :kind, :at)
          """).param("tenant", tenantId).param("id", setId).param("name", name).param("kind", text(kind))
          .param("at", Directory.utc(slot.at())).update();
      return insert(slot, new Version(setId, name, kind, 1, digest(values), values.size(), slot.at()), values, actor);
    }));
  }

  /**
   * Adds a version; the same values as those of the newest version are that version. No policy changes by it: each names the
   * version that it means.
   *
   * @throws Directory.NothingThere if there is no such set
   */
  public Version addVersion(UUID tenantId, String name, SortedSet<String> values, String actor) {
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var newest = versions(tenantId, name).stream().findFirst().orElseThrow(Directory.NothingThere::new);
      if (newest.digest().equals(digest(values))) {
        audit.write(slot, "value_set.version_repeated", newest.setId(), actor, described(newest));
        return newest;
      }
      return insert(slot, new Version(newest.setId(), name, newest.kind(), newest.version() + 1, digest(values),
          values.size(), slot.at()), values, actor);
    });
  }

  private Version insert(AuditEntries.Slot slot, Version version, SortedSet<String> values, String actor) {
    database.sql().sql("""
        INSERT INTO value_set_version (tenant_id, set_id, version, digest, items, created_at)
        VALUES (:tenant, :id, :version, :digest, :items, :at)
        """).param("tenant", slot.tenantId()).param("id", version.setId()).param("version", version.version())
        .param("digest", version.digest()).param("items", values.toArray(String[]::new))
        .param("at", Directory.utc(slot.at())).update();
    audit.write(slot, "value_set.version_created", version.setId(), actor, described(version));
    return version;
  }

  /** The record holds the digest of the values: they may be many. */
  private static Json.Obj described(Version version) {
    return Json.object().put("set", Id.VALUE_SET.text(version.setId())).put("name", version.name())
        .put("version", version.version()).put("setKind", text(version.kind())).put("digest", version.digest())
        .put("size", version.size()).build();
  }

  private static String digest(SortedSet<String> values) {
    return PolicyJson.version(Json.strings(List.copyOf(values)));
  }

  /** All versions of a set, the newest first; none if there is no such set. */
  public List<Version> versions(UUID tenantId, String name) {
    return database.sql().sql(SELECT + " AND s.name = :name ORDER BY v.version DESC").param("tenant", tenantId)
        .param("name", name).query((row, n) -> version(row)).list();
  }

  /** Every set in its newest version. */
  public Page<Version> list(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT + """
         AND s.set_id > :after AND v.version = (SELECT max(version) FROM value_set_version n
                                                WHERE n.tenant_id = v.tenant_id AND n.set_id = v.set_id)
        ORDER BY s.set_id LIMIT :limit
        """).param("tenant", tenantId).param("after", Directory.after(page)).param("limit", page.limit() + 1)
        .query((row, n) -> version(row)).list(), page.limit(), Version::setId);
  }

  /** The values of the version with this hash, as canonical JSON (RFC 8785): what the hash is of. */
  public Optional<byte[]> document(UUID tenantId, String digest) {
    return database.reading()
        .sql("SELECT items FROM value_set_version WHERE tenant_id = :tenant AND digest = :digest LIMIT 1")
        .param("tenant", tenantId).param("digest", digest)
        .query((row, n) -> JsonText.canonical(Json.strings(List.of((String[]) row.getArray("items").getArray()))))
        .optional();
  }

  private record Numbered(UUID place, String value) {}

  /** The values of a version in ascending order; empty if there is no such version. */
  public Optional<Page<String>> values(UUID tenantId, String name, int version, Page.Request page) {
    // Values have no identifiers: their places in the version take their part.
    long after = page.after().map(UUID::getLeastSignificantBits)
        .filter(place -> place >= 0 && place <= ValueSet.VALUES_MAX)
        .orElse(0L);
    return database.sql().sql("""
        SELECT ARRAY(SELECT u.item FROM unnest(v.items) WITH ORDINALITY AS u(item, place) WHERE u.place > :after
                     ORDER BY u.place LIMIT :limit) AS items
        FROM value_set s JOIN value_set_version v ON v.tenant_id = s.tenant_id AND v.set_id = s.set_id
        WHERE s.tenant_id = :tenant AND s.name = :name AND v.version = :version
        """).param("after", after).param("limit", page.limit() + 1).param("tenant", tenantId)
        .param("name", name).param("version", version)
        .query((row, n) -> (String[]) row.getArray("items").getArray()).optional().map(items -> {
          var numbered = new ArrayList<Numbered>(items.length);
          for (int i = 0; i < items.length; i++) {
            numbered.add(new Numbered(new UUID(0, after + i + 1), items[i]));
          }
          var found = Page.of(numbered, page.limit(), Numbered::place);
          return new Page<>(found.items().stream().map(Numbered::value).toList(), found.nextAfter());
        });
  }

  /** The set that a policy of a tenant names; empty if there is none. */
  static Optional<ValueSet> find(Connection connection, UUID tenantId, String reference) {
    int at = reference.indexOf('@');
    var name = reference.substring(0, at);
    int version = Integer.parseInt(reference.substring(at + 1));
    try (var statement = connection.prepareStatement("""
        SELECT s.set_id, s.kind FROM value_set s
        JOIN value_set_version v ON v.tenant_id = s.tenant_id AND v.set_id = s.set_id AND v.version = ?
        WHERE s.tenant_id = ? AND s.name = ?
        """)) {
      statement.setInt(1, version);
      statement.setObject(2, tenantId);
      statement.setString(3, name);
      try (var row = statement.executeQuery()) {
        if (!row.next()) {
          return Optional.empty();
        }
        var key = new Key(row.getObject(1, UUID.class), version);
        var kept = KEPT.get(key);
        var known = kept == null ? null : kept.get();
        return Optional.of(known != null
            ? known
            : keep(key, load(connection, tenantId, key, reference,
                kind(row.getString(2)))));
      }
    } catch (SQLException e) {
      throw new IllegalStateException("the set `" + reference + "` cannot be read", e);
    }
  }

  private static ValueSet keep(Key key, ValueSet set) {
    if (KEPT.size() >= KEPT_MAX) {
      KEPT.clear();
    }
    KEPT.put(key, new WeakReference<>(set));
    return set;
  }

  private static ValueSet load(Connection connection, UUID tenantId, Key key, String reference, ValueSet.Kind kind)
      throws SQLException {
    try (var statement = connection.prepareStatement("""
        SELECT items FROM value_set_version WHERE tenant_id = ? AND set_id = ? AND version = ?
        """)) {
      statement.setObject(1, tenantId);
      statement.setObject(2, key.setId());
      statement.setInt(3, key.version());
      try (var row = statement.executeQuery()) {
        if (!row.next()) {
          throw new IllegalStateException("the set `" + reference + "` is gone, and sets are never deleted");
        }
        return ValueSet.of(reference, kind, List.of((String[]) Objects.requireNonNull(row.getArray(1)).getArray()));
      }
    }
  }

  private static Version version(ResultSet row) throws SQLException {
    return new Version(Directory.uuid(row, "set_id"), row.getString("name"), kind(row.getString("kind")),
        row.getInt("version"), row.getString("digest"), row.getInt("size"), Directory.instant(row, "created_at"));
  }

  public static String text(ValueSet.Kind kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  /** The kind that a text names. */
  static ValueSet.Kind kind(@Nullable String text) {
    return ValueSet.Kind.valueOf(Objects.requireNonNull(text).toUpperCase(Locale.ROOT));
  }
}
