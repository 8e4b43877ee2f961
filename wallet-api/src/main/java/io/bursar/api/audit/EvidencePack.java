package io.bursar.api.audit;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashSet;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.BesidePath;
import io.bursar.log.TilePath;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.PolicyJson;
import io.bursar.store.AuditQuestions;
import io.bursar.store.PolicyStore;
import io.bursar.store.ValueSets;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogState;
import io.bursar.store.log.LogUnavailable;

/**
 * What proves, far from the service, what was decided in a period: the signed head, every tile of hashes, the entries of the
 * period in their bundles, the policies and sets that they were decided under, the log's key, and how to check it all. It can
 * be checked by {@code verify-log --folder}.
 *
 * <p>All hashes are in it, 32 bytes an entry, so that the whole tree can be made again and held against the signed root, though
 * only the entries of the period can be read.
 */
final class EvidencePack {
  private final Log log;
  private final AuditQuestions questions;
  private final PolicyStore policies;
  private final ValueSets sets;

  EvidencePack(Log log, AuditQuestions questions, PolicyStore policies, ValueSets sets) {
    this.log = log;
    this.questions = questions;
    this.policies = policies;
    this.sets = sets;
  }

  /**
   * A pack that is about to be written.
   *
   * @param state of the log, as of which everything in the pack is
   * @param first and {@code beyond}: the entries of the period by index; equal where there are none
   */
  record Plan(UUID tenantId, LogState state, String vkey, String origin, long first, long beyond, Instant from,
      Instant to) {
    String entries() {
      return first == beyond ? "none" : first + " to " + (beyond - 1);
    }
  }

  /** Brings the log up to date, if it can be, and says what the pack of a period has. */
  Plan plan(UUID tenantId, Instant from, Instant to) throws LogUnavailable {
    var key = log.key(tenantId);
    try {
      log.catchUp(tenantId);
    } catch (LogUnavailable e) {
      // A log that is stopped still proves what was signed before.
      if (log.state(tenantId).checkpoint().isEmpty()) {
        throw e;
      }
    }
    var state = log.state(tenantId);
    long size = state.checkpointSize();
    // Leaf n of the log is the entry with number n + 1.
    long first = Math.min(size, questions.firstAt(tenantId, from) - 1);
    long beyond = Math.clamp(questions.firstAt(tenantId, to) - 1, first, size);
    return new Plan(tenantId, state, key.text(), key.name(), first, beyond, from, to);
  }

  /** Writes the archive, file by file. */
  void write(Plan plan, OutputStream out) throws IOException {
    var zip = new ZipOutputStream(out);
    var state = plan.state();
    put(zip, "README.txt", instructions(plan).getBytes(StandardCharsets.UTF_8));
    put(zip, "checkpoint", state.checkpoint().orElseThrow().encode());
    put(zip, "vkey", plan.vkey().getBytes(StandardCharsets.UTF_8));
    var made = questions.changesUpTo(plan.tenantId(), "value_set.version_created", plan.beyond());
    var bundles = new TreeSet<Long>();
    made.forEach(entry -> bundles.add((entry.seq() - 1) / TilePath.FULL));
    for (var path : TilePath.grown(0, state.checkpointSize())) {
      long begin = path.index() * TilePath.FULL;
      boolean ofPeriod = begin < plan.beyond() && begin + path.width() > plan.first();
      if (!path.isEntries() || ofPeriod || bundles.contains(path.index())) {
        put(zip, path.text(), log.tile(plan.tenantId(), state, path)
            .orElseThrow(() -> new IOException("the log has no `" + path.text() + "`")));
      }
    }
    var named = writePolicies(plan, zip);
    for (var set : made) {
      if (named.contains(text(set, "name") + "@" + ((Json.Num) member(set, "version")).value())) {
        write(zip, new BesidePath(BesidePath.Kind.SETS, text(set, "digest")),
            sets.document(plan.tenantId(), text(set, "digest")));
      }
    }
    zip.finish();
  }

  private static String instructions(Plan plan) {
    return """
        Evidence from a Bursar audit log
        ================================

        Period      %s to %s
        Log         %s, %d entries; those of the period: %s
        Head        `checkpoint`: a signed note (c2sp.org/signed-note) with the size and root of the log
        Key         `vkey`: the log's public key. Compare it with one that you were given some other way:
                    whoever makes up a pack can make up its key.
        Hashes      `tile/<level>/…`: all of them (c2sp.org/tlog-tiles), so that the whole tree can be made again
        Entries     `tile/entries/…`: those of the period, in bundles of 256, each byte for byte as it was hashed;
                    and the bundles in which the sets were made that policies name
        Policies    `policies/sha256-….json`: every version that was ever in force, named by the hash of what it holds
        Sets        `sets/sha256-….json`: the values that those policies name, named likewise; the log has the hashes

        To check it, unpack it and run in its folder

            java -jar bursar-verify-all.jar --folder . --partial --replay --vkey "$(cat vkey)"

        It makes the tree again and holds it against the signed head, compares every tile and entry, and decides every
        authorization in the pack again. Any other program that reads these formats will do for all but the decisions.
        Exit code 0: all is as signed. 1: something is not, and the first such entry is named.
        """.formatted(plan.from(), plan.to(), plan.origin(), plan.state().checkpointSize(), plan.entries());
  }

  /** Writes every version that was in force by then, and answers which versions of sets they name. */
  private Set<String> writePolicies(Plan plan, ZipOutputStream zip) throws IOException {
    var known = policies.environment(plan.tenantId());
    var named = new HashSet<String>();
    var noting = new PolicyEnvironment(reference -> {
      named.add(reference);
      return known.sets().apply(reference);
    }, known.conditions());
    var versions = new TreeSet<String>();
    questions.changesUpTo(plan.tenantId(), "policy.attached", plan.beyond())
        .forEach(entry -> versions.add(text(entry, "version")));
    for (var version : versions) {
      var document = policies.document(plan.tenantId(), version);
      write(zip, new BesidePath(BesidePath.Kind.POLICIES, version), document);
      try {
        PolicyJson.load(JsonText.parse(document.orElseThrow()), noting);
      } catch (JsonText.Malformed e) {
        throw new IOException("policy version `" + version + "` is no JSON", e);
      }
    }
    return named;
  }

  private static void write(ZipOutputStream zip, BesidePath path, Optional<byte[]> document) throws IOException {
    put(zip, path.text(), document.orElseThrow(() -> new IOException("`" + path.text() + "` is gone")));
  }

  private static void put(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
    zip.putNextEntry(new ZipEntry(name));
    zip.write(bytes);
    zip.closeEntry();
  }

  private static Json member(AuditQuestions.Entry entry, String name) {
    return Objects.requireNonNull(entry.body().get(name), name);
  }

  private static String text(AuditQuestions.Entry entry, String name) {
    return ((Json.Str) member(entry, name)).value();
  }
}
