package io.bursar.store.events;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.store.Alarms;
import io.bursar.store.Fixture;
import io.bursar.store.Page;
import io.bursar.store.events.EventTypes.Selection;
import io.bursar.store.events.Outbox.Attempt;
import io.bursar.store.events.Webhook.Delivery.State;

final class OutboxTest {
  private static final Attempt DELIVERED = new Attempt(200, null, false);
  private static final Attempt FAILED = new Attempt(500, "the receiver answered with HTTP status 500", false);
  private static final Attempt GONE = new Attempt(410, "the receiver answered with HTTP status 410", true);
  private static final byte[] SECRET = "x".repeat(32).getBytes(StandardCharsets.US_ASCII);

  private final Fixture fixture = new Fixture();
  private final EventFeed feed = new EventFeed(fixture.database);
  private final Alarms alarms = new Alarms(fixture.database, fixture.audit);
  private final Webhooks webhooks = new Webhooks(fixture.database, fixture.audit);
  private final Outbox outbox = new Outbox(fixture.database, fixture.audit, feed, alarms);

  @AfterEach
  void close() {
    fixture.close();
  }

  private Webhook webhook(String... patterns) {
    return webhooks.create(fixture.tenant, "https://example.com", new Selection(Set.of(patterns)), SECRET, "test")
        .orElseThrow();
  }

  private void happens(String kind, UUID subject) {
    fixture.database.inTransaction(() -> {
      fixture.audit.write(fixture.audit.next(fixture.tenant), kind, subject, "test", Json.object().build());
    });
  }

  private Outbox.Taken take() {
    return outbox.take(10).getFirst();
  }

  private List<String> dueTypes(Outbox.Taken taken) {
    return outbox.due(taken, 100).stream().map(due -> type(due.seq())).toList();
  }

  private String type(long seq) {
    return feed.find(fixture.tenant, seq).orElseThrow().type();
  }

  private void settle(Outbox.Taken taken, String type, Attempt attempt) {
    var due = outbox.due(taken, 100).stream().filter(one -> type(one.seq()).equals(type)).findFirst().orElseThrow();
    var _ = outbox.note(taken, due, attempt, 0);
  }

  private void execute(String sql) {
    fixture.database.sql().sql(sql).update();
  }

  @Test
  void anEventWaitsForTheEarlierOnesOfItsSpendAndForNoOther() {
    webhook("spend.*");
    var slow = UUID.randomUUID();
    happens("payment.prepared", slow);
    happens("payment.signed", slow);
    happens("payment.broadcast", UUID.randomUUID());
    var taken = take();
    assertThat(outbox.look(taken)).isFalse();
    assertThat(dueTypes(taken)).containsExactly("spend.prepared", "spend.broadcast");
    settle(taken, "spend.prepared", FAILED);
    settle(taken, "spend.broadcast", DELIVERED);
    assertThat(dueTypes(taken)).as("the first has failed, so the second must not overtake it").isEmpty();
    execute("UPDATE webhook_delivery SET due_at = now() WHERE state = 'pending'");
    assertThat(dueTypes(taken)).containsExactly("spend.prepared");
    settle(taken, "spend.prepared", DELIVERED);
    assertThat(dueTypes(taken)).containsExactly("spend.signed");
  }

  @Test
  void oneProcessAtATimeWorksOnAWebhookAndAnotherGoesOnWhenItsLeaseIsOver() {
    webhook("*");
    happens("wallet.frozen", fixture.wallet);
    var first = take();
    assertThat(outbox.take(10)).isEmpty();
    execute("UPDATE webhook SET lease_until = now() - interval '1 second'");
    var second = take();
    assertThat(outbox.keep(first)).isFalse();
    assertThat(outbox.keep(second)).isTrue();
    outbox.release(first);
    assertThat(outbox.take(10)).as("who lost the lease cannot give it back").isEmpty();
  }

  @Test
  void looksAtNothingFromBeforeItWasMadeUnlessItIsReplayed() {
    happens("wallet.frozen", fixture.wallet);
    var made = webhook("wallet.*");
    happens("policy.published", UUID.randomUUID());
    happens("wallet.unfrozen", fixture.wallet);
    var taken = take();
    outbox.look(taken);
    assertThat(dueTypes(taken)).containsExactly("wallet.unfrozen");
    settle(taken, "wallet.unfrozen", DELIVERED);
    outbox.release(taken);
    webhooks.replay(fixture.tenant, made.id(), 1, Optional.empty(), List.of(), "test");
    var again = take();
    outbox.look(again);
    var sent = new ArrayList<String>();
    for (var due = outbox.due(again, 9); !due.isEmpty(); due = outbox.due(again, 9)) {
      due.forEach(one -> {
        sent.add(type(one.seq()));
        var _ = outbox.note(again, one, DELIVERED, 0);
      });
    }
    assertThat(sent).containsExactly("wallet.created", "wallet.frozen", "wallet.unfrozen");
  }

  @Test
  void replaysOneEventAlone() {
    var made = webhook("wallet.*");
    happens("wallet.frozen", fixture.wallet);
    happens("wallet.unfrozen", fixture.wallet);
    var taken = take();
    outbox.look(taken);
    settle(taken, "wallet.frozen", DELIVERED);
    settle(taken, "wallet.unfrozen", DELIVERED);
    var frozen = feed.after(fixture.tenant, made.lookedAt(), 200).stream()
        .filter(event -> event.type().equals("wallet.frozen")).findFirst().orElseThrow();
    webhooks.replay(fixture.tenant, made.id(), frozen.seq(), Optional.of(frozen.seq()), List.of(frozen), "test");
    assertThat(dueTypes(taken)).containsExactly("wallet.frozen");
  }

  @Test
  void asksSeldomAfterManyFailuresAndTellsAllAtOnceWhenItWorksAgain() {
    webhook("wallet.*");
    for (int i = 0; i < Outbox.FAILURES_MAX + 1; i++) {
      happens("wallet.frozen", UUID.randomUUID());
    }
    var taken = take();
    outbox.look(taken);
    for (int i = 0; i < Outbox.FAILURES_MAX; i++) {
      settle(taken, "wallet.frozen", FAILED);
    }
    assertThat(outbox.keep(taken)).as("it must be left alone for a while").isFalse();
    outbox.release(taken);
    assertThat(outbox.take(1)).isEmpty();
    execute("UPDATE webhook SET quiet_until = now()");
    var again = take();
    assertThat(again.failures()).isEqualTo(Outbox.FAILURES_MAX);
    assertThat(outbox.due(again, 100)).hasSize(1);
    settle(again, "wallet.frozen", DELIVERED);
    assertThat(outbox.due(again, 100)).hasSize(Outbox.FAILURES_MAX);
  }

  @Test
  void givesAnEventUpAfterThreeDaysAndDisablesWhatFailedAllTheTimeWithAnAlarm() {
    var made = webhook("wallet.*");
    happens("wallet.frozen", fixture.wallet);
    var taken = take();
    outbox.look(taken);
    settle(taken, "wallet.frozen", FAILED);
    execute("""
        UPDATE webhook_delivery SET due_at = now(), first_attempt_at = now() - interval '3 days 1 minute'""");
    execute("UPDATE webhook SET failing_since = now() - interval '3 days 1 minute'");
    settle(taken, "wallet.frozen", FAILED);
    var log = webhooks.deliveries(fixture.tenant, made.id(), Optional.empty(), new Page.Request(Optional.empty(), 9))
        .items();
    assertThat(log).singleElement().satisfies(delivery -> {
      assertThat(delivery.state()).isEqualTo(State.FAILED);
      assertThat(delivery.attempts()).isEqualTo(2);
      assertThat(delivery.lastStatus()).isEqualTo(500);
    });
    var after = webhooks.find(fixture.tenant, made.id()).orElseThrow();
    assertThat(after.disabledReason()).contains("three days").contains("HTTP status 500");
    assertThat(outbox.keep(taken)).isFalse();
    assertThat(feed.after(fixture.tenant, made.lookedAt(), 200)).extracting(Event::type)
        .containsExactly("wallet.frozen", "webhook.disabled", "alarm.raised");
    assertThat(alarms.lasting(9)).extracting(Alarms.Raised::alarm).containsExactly("webhook_disabled");
    outbox.release(taken);
    assertThat(webhooks.enable(fixture.tenant, made.id(), "test").orElseThrow().disabledReason()).isNull();
    happens("wallet.unfrozen", fixture.wallet);
    var again = take();
    outbox.look(again);
    assertThat(dueTypes(again)).containsExactly("wallet.unfrozen");
  }

  @Test
  void disablesAtOnceWhatSaysThatItIsGone() {
    var made = webhook("*");
    happens("wallet.frozen", fixture.wallet);
    var taken = take();
    outbox.look(taken);
    settle(taken, "wallet.frozen", GONE);
    assertThat(webhooks.find(fixture.tenant, made.id()).orElseThrow().disabledReason()).contains("410");
  }

  @Test
  void triesAboutAScoreOfTimesInThreeDays() {
    var tried = java.time.Duration.ZERO;
    int attempts = 0;
    for (; tried.compareTo(Outbox.TRIED_FOR) < 0; attempts++) {
      assertThat(Outbox.wait(attempts, 100)).isGreaterThan(Outbox.wait(attempts, 0));
      tried = tried.plus(Outbox.wait(attempts, 0));
    }
    assertThat(attempts).isBetween(12, 25);
  }

  @Test
  void anAlarmThatLastsIsOneEntryAndOneThatComesBackAnother() {
    long before = feed.newest(fixture.tenant);
    for (int i = 0; i < 3; i++) {
      alarms.raise(fixture.tenant, "fee_cap", fixture.wallet, "wal_1", "gas is at " + i, "test");
    }
    assertThat(feed.newest(fixture.tenant)).isEqualTo(before + 1);
    assertThat(alarms.lasting(9)).singleElement().extracting(Alarms.Raised::why).isEqualTo("gas is at 2");
    execute("UPDATE alarm SET last_at = now() - interval '6 minutes'");
    assertThat(alarms.lasting(9)).isEmpty();
    alarms.raise(fixture.tenant, "fee_cap", fixture.wallet, "wal_1", "gas is at 3", "test");
    assertThat(feed.newest(fixture.tenant)).isEqualTo(before + 2);
  }

  @Test
  void knowsAnEventOfTheTenantFromAnyOther() {
    var event = feed.after(fixture.tenant, 0, 1).getFirst();
    assertThat(Event.seq(fixture.tenant, event.id())).hasValue(1);
    assertThat(Event.seq(UUID.randomUUID(), event.id())).isEmpty();
  }

  @Test
  void aSelectionIncludesWhatItsPatternsSay() {
    assertThat(Selection.parse("spend.*,wallet.frozen")).satisfies(selection -> {
      assertThat(selection.includes("spend.made_tomorrow")).isTrue();
      assertThat(selection.includes("wallet.frozen")).isTrue();
      assertThat(selection.includes("wallet.unfrozen")).isFalse();
    });
    for (var wrong : List.of("", "spend", "spend.confimed", "nothing.*", "*.*", "spend.*,", ".*")) {
      org.assertj.core.api.Assertions.assertThatIllegalArgumentException().as(wrong)
          .isThrownBy(() -> Selection.parse(wrong));
    }
  }
}
