package io.bursar.api;

import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.stream.Collectors;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.web.filter.RequestContextFilter;

import io.bursar.api.approvals.Passkeys;
import io.bursar.api.audit.NightlyRecount;
import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.Chains;
import io.bursar.api.chain.Confirmation;
import io.bursar.api.chain.NodeMetrics;
import io.bursar.api.changes.ChangeGate;
import io.bursar.api.dev.Development;
import io.bursar.api.funding.DepositWatcher;
import io.bursar.api.http.Authentication;
import io.bursar.api.http.RequestTimes;
import io.bursar.api.http.SignedRequests;
import io.bursar.api.policies.NamedPolicies;
import io.bursar.api.relay.RelayAlarms;
import io.bursar.api.settlement.PaymentSteps;
import io.bursar.api.settlement.PaymentWorker;
import io.bursar.api.settlement.Reconciler;
import io.bursar.api.settlement.SettlementMetrics;
import io.bursar.api.signer.KeyFreezer;
import io.bursar.api.signer.MarkKeeper;
import io.bursar.api.signer.PermitIssuer;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.TransferSigner;
import io.bursar.api.spends.LaneQueue;
import io.bursar.api.spends.SpendDesk;
import io.bursar.api.spends.SpendView;
import io.bursar.api.treasury.FundingWorker;
import io.bursar.store.Alarms;
import io.bursar.store.ApiKeys;
import io.bursar.store.Approvals;
import io.bursar.store.Approvers;
import io.bursar.store.AuditEntries;
import io.bursar.store.AuditQuestions;
import io.bursar.store.AuthorizationQuery;
import io.bursar.store.ChangeControl;
import io.bursar.store.CounterKeeping;
import io.bursar.store.Database;
import io.bursar.store.Deposits;
import io.bursar.store.Directory;
import io.bursar.store.FundingRules;
import io.bursar.store.KeyFreezes;
import io.bursar.store.LaneStop;
import io.bursar.store.Lanes;
import io.bursar.store.LimitsAsOf;
import io.bursar.store.PaymentStore;
import io.bursar.store.PolicyStore;
import io.bursar.store.Reconciliation;
import io.bursar.store.RecordedDecisions;
import io.bursar.store.Recount;
import io.bursar.store.Refills;
import io.bursar.store.RelayBatches;
import io.bursar.store.RelayStore;
import io.bursar.store.Relayers;
import io.bursar.store.Reservations;
import io.bursar.store.Rotations;
import io.bursar.store.SettlementModes;
import io.bursar.store.SignerMarks;
import io.bursar.store.SpendStore;
import io.bursar.store.Tally;
import io.bursar.store.UsedSignatures;
import io.bursar.store.ValueSets;
import io.bursar.store.log.Log;
import io.micrometer.core.instrument.MeterRegistry;

/** Every part of the service and what it is given. */
@Configuration(proxyBeanMethods = false)
public class Wiring {
  private static final int SIGNER_CONNECTIONS = 16;
  private static final int EXPIRE_AT_ONCE = 100;
  private static final Duration SIGNER_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration LOOK_AT_NODES_EVERY = Duration.ofSeconds(5);

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
  ValueSets valueSets(Database database, AuditEntries audit) {
    return new ValueSets(database, audit);
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
  Rotations rotations(Database database, AuditEntries audit, Directory directory, PolicyStore policies,
      Reservations reservations, SettlementModes modes) {
    return new Rotations(database, audit, directory, policies, reservations, modes);
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
  ChangeControl changeControl(Database database, AuditEntries audit, PolicyStore policies, Approvers approvers,
      Directory directory, Settings settings) {
    return new ChangeControl(database, audit, policies, approvers, directory, settings.approverKeysRequired());
  }

  @Bean
  ChangeGate changeGate(ChangeControl changes) {
    return new ChangeGate(changes);
  }

  @Bean
  Passkeys passkeys(Settings settings) {
    return new Passkeys(settings.passkeys());
  }

  @Bean
  AuthorizationQuery authorizationQuery(Database database) {
    return new AuthorizationQuery(database);
  }

  @Bean
  LaneStop laneStop(Database database, AuditEntries audit) {
    return new LaneStop(database, audit);
  }

  @Bean
  NightlyRecount nightlyRecount(Database database, Directory directory, CounterKeeping counters, Log log,
      LaneStop stop,
      MeterRegistry registry, Clock clock) {
    return new NightlyRecount(directory, new Recount(database, counters, log::differences), stop, registry, clock);
  }

  @Bean
  AuditQuestions auditQuestions(Database database) {
    return new AuditQuestions(database);
  }

  @Bean
  LimitsAsOf limitsAsOf(Database database) {
    return new LimitsAsOf(database);
  }

  @Bean
  RecordedDecisions recordedDecisions(Database database) {
    return new RecordedDecisions(database);
  }

  @Bean
  NamedPolicies namedPolicies(PolicyStore policies, Directory directory, Approvers approvers) {
    return new NamedPolicies(policies, directory, approvers);
  }

  @Bean
  PaymentStore paymentStore(Database database, AuditEntries audit, Reservations reservations) {
    return new PaymentStore(database, audit, reservations, PaymentStore.Settings.DEFAULT);
  }

  @Bean
  Reconciliation reconciliation(Database database, AuditEntries audit) {
    return new Reconciliation(database, audit);
  }

  @Bean
  Lanes lanes(Database database) {
    return new Lanes(database);
  }

  @Bean
  Tally tally(Database database, AuditEntries audit, Directory directory, Clock clock) {
    return new Tally(database, audit, directory, clock);
  }

  @Bean
  SignedRequests signedRequests(Database database, Clock clock) {
    return new SignedRequests(new UsedSignatures(database, clock), clock);
  }

  @Bean
  Authentication authentication(ApiKeys keys, Directory directory, SignedRequests signed, Tally tally,
      Settings settings) {
    return new Authentication(keys, directory, settings.adminKey(), signed, tally, settings.requestsPerSecond());
  }

  /** The filter belongs to the security chain alone; Spring Boot would otherwise also put it before everything. */
  @Bean
  FilterRegistrationBean<Authentication> authenticationOnlyInItsChain(Authentication authentication) {
    var registration = new FilterRegistrationBean<>(authentication);
    registration.setEnabled(false);
    return registration;
  }

  /** Around everything else. */
  @Bean
  FilterRegistrationBean<RequestTimes> requestTimes(MeterRegistry registry) {
    var registration = new FilterRegistrationBean<>(new RequestTimes(registry));
    registration.setOrder(Ordered.HIGHEST_PRECEDENCE);
    return registration;
  }

  /** The dispatcher servlet keeps the request for who asks; another filter that does so serves nobody. */
  @Bean
  FilterRegistrationBean<RequestContextFilter> noRequestContextFilter() {
    var registration = new FilterRegistrationBean<>(new RequestContextFilter());
    registration.setEnabled(false);
    return registration;
  }

  @Bean
  Chains chains(Settings settings, MeterRegistry registry) {
    var chains = new Chains(settings.chains().stream().map(Chain::new).toList());
    NodeMetrics.register(registry, chains);
    chains.watch(LOOK_AT_NODES_EVERY);
    return chains;
  }

  @Bean
  SignerClient signerClient(Settings settings) {
    return new SignerClient(settings.signerSocket(), SIGNER_CONNECTIONS, SIGNER_TIMEOUT);
  }

  @Bean
  MarkKeeper markKeeper(SignerClient signer, Database database, MeterRegistry registry) {
    return new MarkKeeper(signer, new SignerMarks(database), registry);
  }

  @Bean
  KeyFreezes keyFreezes(Database database, AuditEntries audit, Directory directory) {
    return new KeyFreezes(database, audit, directory);
  }

  @Bean
  KeyFreezer keyFreezer(SignerClient signer, KeyFreezes freezes) {
    return new KeyFreezer(signer, freezes);
  }

  @Bean
  SettlementMetrics settlementMetrics(MeterRegistry registry, Alarms alarms) {
    return new SettlementMetrics(registry, alarms);
  }

  /** Settles payments; absent where this process is told not to, or has no chain. */
  @Bean
  Settlement settlement(Settings settings, PaymentStore payments, Reconciliation reconciliation, Chains chains,
      SignerClient signer, SettlementMetrics metrics, Log log, Clock clock, Relays relays, Deposits deposits)
      throws IOException {
    if (!settings.settle() || chains.names().isEmpty()) {
      return new Settlement();
    }
    var permits = PermitIssuer.load(settings.permitKey(), clock);
    var transfers = new TransferSigner(signer, permits, log);
    var steps = new PaymentSteps(payments, chains.all(), transfers,
        PaymentSteps.Settings.DEFAULT.withFundsWait(settings.fundsWait()), metrics, metrics.timed());
    return new Settlement(new PaymentWorker(payments, steps, metrics, PaymentWorker.Settings.DEFAULT),
        new Reconciler(reconciliation, chains.all(), metrics),
        relays.workers(chains, signer, transfers, clock, settings.fundsWait()),
        new DepositWatcher(deposits, chains.all()));
  }

  @Bean
  Deposits deposits(Database database, AuditEntries audit) {
    return new Deposits(database, audit);
  }

  @Bean
  FundingRules fundingRules(Database database, AuditEntries audit) {
    return new FundingRules(database, audit);
  }

  /** Its spends come from here by the way that every spend comes, so it is not part of what settles them. */
  @Bean
  FundingWorker fundingWorker(FundingRules rules, Directory directory, PaymentStore payments, SpendDesk desk,
      Chains chains) {
    return new FundingWorker(rules, directory, payments.funds(), desk::decide, chains.all(),
        FundingWorker.Settings.DEFAULT);
  }

  @Bean
  SettlementModes settlementModes(Database database, AuditEntries audit) {
    return new SettlementModes(database, audit);
  }

  @Bean
  RelayStore relayStore(Database database, AuditEntries audit, Reservations reservations) {
    return new RelayStore(database, audit, reservations, PaymentStore.Settings.DEFAULT.lease());
  }

  @Bean
  Relayers relayers(Database database) {
    return new Relayers(database, PaymentStore.Settings.DEFAULT.lease());
  }

  @Bean
  Relays relays(Settings settings, Database database, AuditEntries audit, PaymentStore payments, Relayers relayers,
      RelayStore relayed, RelayAlarms alarms) {
    var batches = new RelayBatches(database, audit, relayed, relayers);
    var refills = new Refills(database, audit, relayers, batches);
    return new Relays(settings.relay(), new Relays.Stores(payments, relayed, relayers, batches, refills), alarms);
  }

  @Bean
  RelayAlarms relayAlarms(MeterRegistry registry, Alarms alarms, Directory directory) {
    return new RelayAlarms(registry, alarms, directory);
  }

  /** Told when something may have been authorized, so that it is paid at once and not at the worker's next look. */
  @Bean
  Runnable afterCommit(Settlement settlement) {
    return settlement::wake;
  }

  @Bean
  LaneQueue laneQueue(Lanes lanes, Tally tally, Runnable afterCommit) {
    return new LaneQueue(lanes, tally, afterCommit);
  }

  @Bean
  SpendView spendView(Settings settings) {
    return new SpendView(settings.chains().stream().collect(Collectors.toMap(ChainSettings::name,
        chain -> switch (chain.confirmation()) {
          case Confirmation.Depth(var blocks) -> blocks;
          case Confirmation.Finalized() -> 1;
        })));
  }

  @Bean
  Startup startup(Database database, Directory directory, Approvals approvals, ChangeControl changes,
      CounterKeeping counters, Settlement settlement, FundingWorker funding, Tally tally,
      ObjectProvider<Development> development) {
    settlement.fundBy(funding);
    Runnable endWaits = () -> {
      tally.writeDue();
      approvals.expireDue(EXPIRE_AT_ONCE);
      changes.settleDue();
    };
    return new Startup(database, directory, endWaits, counters, settlement,
        java.util.Optional.ofNullable(development.getIfAvailable()));
  }
}
