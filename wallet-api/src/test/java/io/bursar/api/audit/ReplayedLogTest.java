package io.bursar.api.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import io.bursar.log.BesidePath;
import io.bursar.log.NoteKey;
import io.bursar.policy.Policy;
import io.bursar.policy.ValueSet;
import io.bursar.store.Fixture;
import io.bursar.store.ValueSets;
import io.bursar.verify.BadLog;
import io.bursar.verify.LogVerifier;
import io.bursar.verify.Report;
import io.bursar.verify.SpecLog;

/** A record that lanes wrote, as a log: every decision is decided again from the log alone. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ReplayedLogTest {
  private static final String NAME = "bursar.example/replayed";

  private static final int VENDOR_NUMBER = 7;
  private static final String VENDOR = Fixture.address(VENDOR_NUMBER).toString();

  /** Too large for an entry. */
  private static final String LARGE = IntStream.range(0, 2).mapToObj(rule -> IntStream.range(0, 1_000)
      .mapToObj(payee -> "\"" + Fixture.address(1 + rule * 1_000 + payee) + "\"")
      .collect(Collectors.joining(",", "{\"id\":\"r" + rule + "\",\"kind\":\"permit\",\"match\":{\"payees\":{\"in\":[",
          "]}}}")))
      .collect(Collectors.joining(","));

  private final Fixture fixture = new Fixture();
  private final ValueSets sets = new ValueSets(fixture.database, fixture.audit);
  private List<String> record = List.of();
  /** What lies beside the log, by its path. */
  private final Map<String, byte[]> beside = new HashMap<>();

  @BeforeAll
  void decide() throws Exception {
    var lane = fixture.lanes.open(fixture.tenant);
    lane.decide(List.of(fixture.request("no policy", "1")));
    fixture.attach(Policy.Target.TENANT, fixture.tenant, """
        {"id":"any","kind":"permit"},
        {"id":"daily","kind":"limit","match":{"assets":["USDC"]},"max":"10","window":{"rolling":"PT24H"}}""");
    lane.decide(List.of(fixture.request("a", "4"), fixture.request("b", "5"), fixture.request("c", "5")));
    fixture.attach(Policy.Target.WALLET, fixture.wallet, """
        {"id":"any","kind":"permit"},
        {"id":"each","kind":"limit","match":{"assets":["USDC"]},"max":"0.5","window":"spend"}""");
    lane.decide(List.of(fixture.request("d", "0.6"), fixture.request("e", "0.5")));
    fixture.directory.freeze(fixture.tenant, fixture.wallet, true, "test");
    lane.decide(List.of(fixture.request("f", "0.1")));
    fixture.directory.freeze(fixture.tenant, fixture.wallet, false, "test");
    fixture.policies.detach(fixture.tenant, Policy.Target.WALLET, fixture.wallet, "test");
    lane.decide(List.of(fixture.request("g", "0.2")));
    sets.create(fixture.tenant, "vendors", ValueSet.Kind.ADDRESSES, new TreeSet<>(Set.of(VENDOR)), "test");
    fixture.attach(Policy.Target.WALLET, fixture.wallet, """
        {"id":"vendors","kind":"permit","match":{"payees":{"in":"vendors@1"}}}""");
    lane.decide(List.of(fixture.request("h", "0.1"),
        fixture.request(fixture.wallet, "i", "0.1", Fixture.address(VENDOR_NUMBER))));
    var large = fixture.attach(Policy.Target.WALLET, fixture.wallet, LARGE);
    lane.decide(List.of(fixture.request("j", "0.1")));
    keep(BesidePath.Kind.SETS, sets.versions(fixture.tenant, "vendors").getFirst().digest(),
        digest -> sets.document(fixture.tenant, digest));
    keep(BesidePath.Kind.POLICIES, large.version(), version -> fixture.policies.document(fixture.tenant, version));
    record = fixture.database.sql().sql("SELECT payload FROM audit_entry WHERE tenant_id = :tenant ORDER BY seq")
        .param("tenant", fixture.tenant)
        .query((row, n) -> new String(row.getBytes("payload"), StandardCharsets.UTF_8)).list();
  }

  private void keep(BesidePath.Kind kind, String digest, Function<String, Optional<byte[]>> documents) {
    beside.put(new BesidePath(kind, digest).text(), documents.apply(digest).orElseThrow());
  }

  @AfterAll
  void close() {
    fixture.close();
  }

  private Report replay(List<String> entries) throws Exception {
    return replay(entries, beside);
  }

  private static Report replay(List<String> entries, Map<String, byte[]> beside) throws Exception {
    var log = SpecLog.withTestKey(NAME)
        .write(entries.stream().map(entry -> entry.getBytes(StandardCharsets.UTF_8)).toList());
    log.files.putAll(beside);
    return new LogVerifier(log, NoteKey.parse(log.vkey()), new LogVerifier.Options(true, false)).all(Optional.empty(),
        done -> {});
  }

  private int first(String part) {
    return record.indexOf(record.stream().filter(entry -> entry.contains(part)).findFirst().orElseThrow());
  }

  private List<String> changed(int index, UnaryOperator<String> change) {
    var entries = new ArrayList<>(record);
    entries.set(index, change.apply(entries.get(index)));
    assertThat(entries).isNotEqualTo(record);
    return entries;
  }

  @Test
  void everyDecisionIsDecidedAlike() throws Exception {
    var report = replay(record);
    assertThat(report.replayed()).isEqualTo(11);
    assertThat(report.undecided()).isZero();
  }

  /** The log has only the hashes of sets and of large policies: what is not beside it, or is not what was hashed, decides nothing. */
  @Test
  void whatIsNotBesideTheLogIsNotMadeUp() throws Exception {
    assertThat(replay(record, Map.of())).extracting(Report::replayed, Report::undecided).containsExactly(8L, 3L);
    var changed = new HashMap<>(beside);
    changed.replaceAll((path, bytes) -> path.startsWith("sets/")
        ? ("[\"" + Fixture.PAYEE + "\"]").getBytes(StandardCharsets.UTF_8)
        : bytes);
    assertThat(replay(record, changed)).extracting(Report::replayed, Report::undecided).containsExactly(9L, 2L);
  }

  @Test
  void theEntryOfALargePolicyHasItsHashAndItsLength() {
    var large = record.stream().filter(entry -> entry.contains("documentBytes")).toList();
    assertThat(large).singleElement().satisfies(entry -> assertThat(entry).doesNotContain("\"document\""));
  }

  /** A policy or a set that no entry has made was slipped in. */
  @Test
  void aPolicyOrSetThatWasNeverMadeIsFound() {
    for (var made : List.of("documentBytes", "value_set.version_created")) {
      var entries = new ArrayList<>(record);
      entries.remove(first(made));
      assertThatThrownBy(() -> replay(entries)).as(made).isInstanceOf(BadLog.class)
          .hasMessageMatching("entry [0-9]+ (cannot be decided again|is decided otherwise): .*");
    }
  }

  /** The operator holds the log's key and signs what never was decided so. */
  @Test
  void aDecisionThatTheRulesDoNotGiveIsNamed() {
    int denied = first("LIMIT_EXCEEDED");
    assertThatThrownBy(
        () -> replay(changed(denied, entry -> entry.replace("\"effect\":\"deny\"", "\"effect\":\"allow\""))))
        .isInstanceOfSatisfying(BadLog.class, bad -> assertThat(bad.entry()).isEqualTo(denied))
        .hasMessageContaining("/decision/effect");
    int allowed = first("\"effect\":\"allow\"");
    assertThatThrownBy(
        () -> replay(changed(allowed, entry -> entry.replace("\"amount\":\"4000000\"", "\"amount\":\"40000000\""))))
        .isInstanceOfSatisfying(BadLog.class, bad -> assertThat(bad.entry()).isEqualTo(allowed));
  }

  @Test
  void aPolicyThatWasNotInForceIsFound() {
    var entries = new ArrayList<>(record);
    entries.remove(first("policy.detached"));
    assertThatThrownBy(() -> replay(entries)).isInstanceOf(BadLog.class).hasMessageContaining("were in force");
  }

  @Test
  void aFreezeThatWasPassedOverIsFound() {
    var entries = new ArrayList<>(record);
    entries.remove(first("wallet.frozen"));
    assertThatThrownBy(() -> replay(entries)).isInstanceOf(BadLog.class).hasMessageContaining("walletFrozen");
  }

  @Test
  void aPolicyOtherThanItsVersionIsFound() {
    int created = first("policy.version_created");
    assertThatThrownBy(() -> replay(changed(created, entry -> entry.replace("\"max\":\"10\"", "\"max\":\"100\""))))
        .isInstanceOfSatisfying(BadLog.class, bad -> assertThat(bad.entry()).isEqualTo(created));
  }
}
