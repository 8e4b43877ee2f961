package io.bursar.api.rehearsal;

import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.policies.NamedPolicies;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.Policy;
import io.bursar.rehearsal.Backtest;
import io.bursar.spend.Id;
import io.bursar.store.PolicyStore;
import io.bursar.store.RecordedDecisions;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** {@code POST /v1/policies/{id}/backtest}: what a candidate would have decided over the recorded requests of a period. */
@RestController
public final class BacktestController {
  private final RecordedDecisions decisions;
  private final PolicyStore policies;
  private final NamedPolicies documents;
  private final Clock clock;

  BacktestController(RecordedDecisions decisions, PolicyStore policies, NamedPolicies documents, Clock clock) {
    this.decisions = decisions;
    this.policies = policies;
    this.documents = documents;
    this.clock = clock;
  }

  private record Target(Policy.Target kind, UUID id) {}

  private record Wanted(NamedPolicies.Named named, @Nullable Target target, @Nullable Instant from,
      @Nullable Instant to) {}

  @PostMapping("/v1/policies/{id}/backtest")
  void backtest(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id, HttpServletRequest request,
      HttpServletResponse response) throws IOException {
    var wanted = Bodies.parse(Bodies.read(request, NamedPolicies.BODY_BYTES_MAX), reader -> {
      var named = NamedPolicies.Named.read(reader);
      var target = reader.present("target") ? target(reader.object("target")) : null;
      var from = reader.present("from") ? History.time(reader, "from") : null;
      return new Wanted(named, target, from, History.time(reader, "to"));
    });
    var policyId = NamedPolicies.policyId(id);
    var policy = documents.policy(caller.tenantId(), policyId, wanted.named());
    var target = Objects.requireNonNull(wanted.target());
    var from = Objects.requireNonNull(wanted.from());
    var to = wanted.to() == null ? clock.instant().plusSeconds(1) : wanted.to();
    var stretch = decisions.stretch(caller.tenantId(), Backtest.countedFrom(policy, target.kind(), from), to);
    LineStream.answer(response, stretch.size(), lines -> {
      var backtest = new Backtest(History.policies(policies, caller.tenantId()),
          new Backtest.Candidate(policyId, policy, target.kind(), target.id()), from);
      decisions.read(caller.tenantId(), stretch, Optional.empty(), row -> {
        var recorded = History.recorded(caller.tenantId(), row);
        if (recorded != null) {
          backtest.add(recorded);
        }
      }, read -> lines.progress(read - stretch.first() + 1));
      lines.write(report(policy.version(), from, to, backtest.report()));
    });
  }

  private static @Nullable Target target(@Nullable JsonReader reader) {
    if (reader == null) {
      return null;
    }
    var kind = reader.requiredParsed("kind", 16, text -> switch (text) {
      case "tenant" -> Policy.Target.TENANT;
      case "agent" -> Policy.Target.AGENT;
      case "wallet" -> Policy.Target.WALLET;
      default -> throw new IllegalArgumentException("must be `tenant`, `agent` or `wallet`");
    });
    var id = kind == null
        ? reader.requiredParsed("id", 64, text -> new UUID(0, 0))
        : reader.requiredParsed("id", 64, text -> idOf(kind).parse(text)
            .orElseThrow(() -> new IllegalArgumentException("is not the identifier of that kind of target")));
    reader.refuseUnknown();
    return kind == null || id == null ? null : new Target(kind, id);
  }

  private static Id idOf(Policy.Target target) {
    return switch (target) {
      case TENANT -> Id.TENANT;
      case AGENT -> Id.AGENT;
      case WALLET -> Id.WALLET;
    };
  }

  private static Json report(String version, Instant from, Instant to, Backtest.Report report) {
    return Json.object().put("type", "report").put("version", version).put("from", from.toString())
        .put("to", to.toString()).put("requests", report.requests()).put("unchanged", report.unchanged())
        .put("changes", new Json.Arr(report.changes().stream().map(BacktestController::change).toList()))
        .put("rules", new Json.Arr(report.rules().entrySet().stream()
            .<Json>map(rule -> Json.object().put("rule", rule.getKey()).put("count", rule.getValue()).build())
            .toList()))
        .build();
  }

  private static Json change(Backtest.Change change) {
    return Json.object().put("recorded", DecisionJson.text(change.recorded()))
        .put("candidate", DecisionJson.text(change.candidate())).put("count", change.count())
        .put("sums", sums(change.sums()))
        .put("examples", new Json.Arr(change.examples().stream().map(BacktestController::example).toList())).build();
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
