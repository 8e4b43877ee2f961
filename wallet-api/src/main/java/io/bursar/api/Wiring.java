package io.bursar.api;

import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.List;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.Chains;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.dev.Development;
import io.bursar.api.http.Authentication;
import io.bursar.api.settlement.PaymentSteps;
import io.bursar.api.settlement.PaymentWorker;
import io.bursar.api.settlement.SettlementMetrics;
import io.bursar.api.signer.PermitIssuer;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.TransferSigner;
import io.bursar.api.spends.LaneQueue;
import io.bursar.api.spends.SpendView;
import io.bursar.store.ApiKeys;
import io.bursar.store.Approvals;
import io.bursar.store.Approvers;
import io.bursar.store.AuditEntries;
import io.bursar.store.AuthorizationQuery;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Database;
import io.bursar.store.Directory;
import io.bursar.store.Lanes;
import io.bursar.store.PaymentStore;
import io.bursar.store.PolicyStore;
import io.bursar.store.RecordedDecisions;
import io.bursar.store.Reservations;
import io.bursar.store.SpendStore;
import io.bursar.store.log.Log;
import io.micrometer.core.instrument.MeterRegistry;

/** Every part of the service and what it is given. */
@Configuration(proxyBeanMethods = false)
public class Wiring {
  private static final int SIGNER_CONNECTIONS = 8;
  private static final Duration SIGNER_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration CHAIN_TIMEOUT = Duration.ofSeconds(10);

  @Bean
  Clock clock() {
    return Clock.systemUTC();
  }

  @Bean
  Database database(Settings settings) {
    return new Database(settings.database());
  }

  @Bean
  AuditEntries auditEntries(Database database) {
    return new AuditEntries(database);
  }

  @Bean
  Directory directory(Database database, AuditEntries audit) {
    return new Directory(database, audit);
  }

  @Bean
  ApiKeys apiKeys(Database database, AuditEntries audit) {
    return new ApiKeys(database, audit);
  }

  @Bean
  CounterKeeping counterKeeping(Database database) {
    return new CounterKeeping(database);
  }

  @Bean
  PolicyStore policyStore(Database database, AuditEntries audit, CounterKeeping counters) {
    return new PolicyStore(database, audit, counters);
  }

  @Bean
  SpendStore spendStore(Database database) {
    return new SpendStore(database);
  }

  @Bean
  Reservations reservations(Database database) {
    return new Reservations(database);
  }

  @Bean
  Approvers approvers(Database database, AuditEntries audit) {
    return new Approvers(database, audit);
  }

  @Bean
  Approvals approvals(Database database, AuditEntries audit, SpendStore spends, Reservations reservations,
      CounterKeeping counters, Settings settings) {
    return new Approvals(database, audit, spends, reservations, counters, settings.approverKeysRequired());
  }

  @Bean
  AuthorizationQuery authorizationQuery(Database database) {
    return new AuthorizationQuery(database);
  }

  @Bean
  RecordedDecisions recordedDecisions(Database database) {
    return new RecordedDecisions(database);
  }

  @Bean
  io.bursar.api.policies.NamedPolicies namedPolicies(PolicyStore policies, Directory directory, Approvers approvers) {
    return new io.bursar.api.policies.NamedPolicies(policies, directory, approvers);
  }

  @Bean
  PaymentStore paymentStore(Database database, AuditEntries audit, Reservations reservations) {
    return new PaymentStore(database, audit, reservations, PaymentStore.Settings.DEFAULT);
  }

  @Bean
  Lanes lanes(Database database) {
    return new Lanes(database);
  }

  @Bean
  Authentication authentication(ApiKeys keys, Directory directory, Settings settings) {
    return new Authentication(keys, directory, settings.adminKey(), settings.requestsPerSecond());
  }

  /** The filter belongs to the security chain alone; Spring Boot would otherwise also put it before everything. */
  @Bean
  FilterRegistrationBean<Authentication> authenticationOnlyInItsChain(Authentication authentication) {
    var registration = new FilterRegistrationBean<>(authentication);
    registration.setEnabled(false);
    return registration;
  }

  @Bean
  Chains chains(Settings settings) {
    return new Chains(settings.chain().stream()
        .map(chain -> new Chain(
            new Chain.Settings(chain.name(), chain.endpoint(), chain.confirmations(), FeePolicy.DEFAULT,
                CHAIN_TIMEOUT)))
        .toList());
  }

  @Bean
  SignerClient signerClient(Settings settings) {
    return new SignerClient(settings.signerSocket(), SIGNER_CONNECTIONS, SIGNER_TIMEOUT);
  }

  @Bean
  SettlementMetrics settlementMetrics(MeterRegistry registry) {
    return new SettlementMetrics(registry);
  }

  /** Settles payments; absent where this process is told not to, or has no chain. */
  @Bean
  Settlement settlement(Settings settings, PaymentStore payments, Chains chains, SignerClient signer,
      SettlementMetrics metrics, Log log, Clock clock)
      throws IOException {
    if (!settings.settle() || chains.names().isEmpty()) {
      return new Settlement(List.of());
    }
    var permits = PermitIssuer.load(settings.permitKey(), clock);
    var steps = new PaymentSteps(payments, chains.all(), new TransferSigner(signer, permits, log),
        PaymentSteps.Settings.DEFAULT, metrics,
        metrics.timed());
    return new Settlement(List.of(new PaymentWorker(payments, steps, metrics, PaymentWorker.Settings.DEFAULT)));
  }

  /** Told when something may have been authorized, so that it is paid at once and not at the worker's next look. */
  @Bean
  Runnable afterCommit(Settlement settlement) {
    return settlement::wake;
  }

  @Bean
  LaneQueue laneQueue(Lanes lanes, Runnable afterCommit) {
    return new LaneQueue(lanes, afterCommit);
  }

  @Bean
  SpendView spendView(Settings settings) {
    return new SpendView(settings.chain().map(Settings.ChainSettings::confirmations).orElse(0));
  }

  @Bean
  Startup startup(Database database, Directory directory, Approvals approvals, CounterKeeping counters,
      Settlement settlement,
      ObjectProvider<Development> development) {
    return new Startup(database, directory, approvals, counters, settlement,
        java.util.Optional.ofNullable(development.getIfAvailable()));
  }
}
