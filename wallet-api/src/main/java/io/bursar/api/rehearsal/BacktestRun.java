package io.bursar.api.rehearsal;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.DecisionJson;
import io.bursar.rehearsal.Backtest;
import io.bursar.spend.Id;
import io.bursar.store.PolicyStore;
import io.bursar.store.RecordedDecisions;

/** A candidate over the recorded requests of a period, with its report as JSON. */
final class BacktestRun {
  private final RecordedDecisions decisions;
  private final PolicyStore policies;
  private final UUID tenantId;
  private final Backtest.Candidate candidate;
  private final Instant from;
  private final Instant to;
  private final RecordedDecisions.Stretch stretch;

  /** A run that has read nothing yet; {@code [from, to)} is the period. */
  BacktestRun(RecordedDecisions decisions, PolicyStore policies, UUID tenantId, Backtest.Candidate candidate,
      Instant from,
      Instant to) {
    this.decisions = decisions;
    this.policies = policies;
    this.tenantId = tenantId;
    this.candidate = candidate;
    this.from = from;
    this.to = to;
    this.stretch = decisions.stretch(tenantId, Backtest.countedFrom(candidate.policy(), candidate.target(), from), to);
  }

  /** How many entries of the record there are to read. */
  long size() {
    return stretch.size();
  }

  /** Reads them all, telling how far it has come, and says what came out. */
  Json.Builder report(LineStream lines) {
    var backtest = new Backtest(History.policies(policies, tenantId), candidate, from);
    decisions.read(tenantId, stretch, Optional.empty(), row -> {
      var recorded = History.recorded(tenantId, row);
      if (recorded != null) {
        backtest.add(recorded);
      }
    }, read -> lines.progress(read - stretch.first() + 1));
    return view(backtest.report());
  }

  private Json.Builder view(Backtest.Report report) {
    return Json.object().put("type", "report").put("version", candidate.policy().version()).put("from", from.toString())
        .put("to", to.toString()).put("requests", report.requests()).put("unchanged", report.unchanged())
        .put("changes", new Json.Arr(report.changes().stream().map(BacktestRun::change).toList()))
        .put("rules", new Json.Arr(report.rules().entrySet().stream()
            .<Json>map(rule -> Json.object().put("rule", rule.getKey()).put("count", rule.getValue()).build())
            .toList()));
  }

  private static Json change(Backtest.Change change) {
    return Json.object().put("recorded", DecisionJson.text(change.recorded()))
        .put("candidate", DecisionJson.text(change.candidate())).put("count", change.count())
        .put("sums", sums(change.sums()))
        .put("examples", new Json.Arr(change.examples().stream().map(BacktestRun::example).toList())).build();
  }

  private static Json sums(Map<Asset, java.math.BigInteger> sums) {
    List<Json> list = sums.entrySet().stream()
        .sorted(java.util.Comparator.comparing(sum -> sum.getKey().chain() + " " + sum.getKey().symbol()))
        .<Json>map(sum -> Json.object().put("asset", sum.getKey().symbol()).put("chain", sum.getKey().chain())
            .put("amount", Amount.format(sum.getValue(), sum.getKey().decimals())).build())
        .toList();
    return new Json.Arr(list);
  }

  private static Json example(Backtest.Example example) {
    var facts = example.facts();
    List<Json> reasons = example.reasons().stream().<Json>map(reason -> Json.object().put("code", reason.code().name())
        .put("policy", reason.policyId() == null ? null : Id.POLICY.text(reason.policyId())).put("rule", reason.rule())
        .put("message", reason.message()).build()).toList();
    return Json.object().put("spend", Id.SPEND.text(example.spendId())).put("at", example.at().toString())
        .put("asset", facts.asset().symbol()).put("chain", facts.asset().chain())
        .put("amount", Amount.format(facts.amount(), facts.asset().decimals())).put("to", facts.payee().toString())
        .put("reasons", new Json.Arr(reasons)).build();
  }
}
