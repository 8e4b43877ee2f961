package io.bursar.api.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import io.bursar.log.NoteKey;
import io.bursar.policy.Policy;
import io.bursar.store.Fixture;
import io.bursar.verify.BadLog;
import io.bursar.verify.LogVerifier;
import io.bursar.verify.Report;
import io.bursar.verify.SpecLog;

/** A record that lanes wrote, as a log: every decision is decided again from the log alone. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ReplayedLogTest {
  private static final String NAME = "bursar.example/replayed";

  private final Fixture fixture = new Fixture();
  private List<String> record = List.of();

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
    record = fixture.database.sql().sql("SELECT payload FROM audit_entry WHERE tenant_id = :tenant ORDER BY seq")
        .param("tenant", fixture.tenant)
        .query((row, n) -> new String(row.getBytes("payload"), StandardCharsets.UTF_8)).list();
  }

  @AfterAll
  void close() {
    fixture.close();
  }

  private static Report replay(List<String> entries) throws Exception {
    var log = SpecLog.withTestKey(NAME)
        .write(entries.stream().map(entry -> entry.getBytes(StandardCharsets.UTF_8)).toList());
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
    assertThat(replay(record).replayed()).isEqualTo(8);
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
