package io.bursar.api.events;

import java.time.Clock;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.bursar.api.Settings;
import io.bursar.api.http.Authentication;
import io.bursar.store.Alarms;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;
import io.bursar.store.Diagnosis;
import io.bursar.store.events.EventFeed;
import io.bursar.store.events.Outbox;
import io.bursar.store.events.Webhooks;
import io.micrometer.core.instrument.MeterRegistry;

/** Events, and who is told of them. */
@Configuration(proxyBeanMethods = false)
public class EventWiring {
  @Bean
  Alarms alarms(Database database, AuditEntries audit) {
    return new Alarms(database, audit);
  }

  @Bean
  Diagnosis diagnosis(Database database) {
    return new Diagnosis(database);
  }

  @Bean
  EventFeed eventFeed(Database database) {
    return new EventFeed(database);
  }

  @Bean
  EventStreams eventStreams(EventFeed feed, Authentication authentication) {
    return new EventStreams(feed, authentication);
  }

  @Bean
  Webhooks webhooks(Database database, AuditEntries audit) {
    return new Webhooks(database, audit);
  }

  @Bean
  Outbox outbox(Database database, AuditEntries audit, EventFeed feed, Alarms alarms) {
    return new Outbox(database, audit, feed, alarms);
  }

  @Bean
  WebhookSender webhookSender(Settings settings, Clock clock) {
    return new WebhookSender(WebhookSender.Settings.of(settings.webhooksToPrivate()), clock);
  }

  @Bean
  WebhookWorker webhookWorker(Outbox outbox, EventFeed feed, WebhookSender sender, MeterRegistry registry) {
    return new WebhookWorker(outbox, feed, sender, registry);
  }
}
