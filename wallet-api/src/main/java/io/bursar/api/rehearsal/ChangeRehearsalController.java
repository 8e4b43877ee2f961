package io.bursar.api.rehearsal;

import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.Query;
import io.bursar.api.policies.NamedPolicies;
import io.bursar.json.Json;
import io.bursar.policy.Policy;
import io.bursar.rehearsal.Backtest;
import io.bursar.spend.Id;
import io.bursar.store.Change;
import io.bursar.store.ChangeControl;
import io.bursar.store.PolicyStore;
import io.bursar.store.RecordedDecisions;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/**
 * {@code GET /v1/change-requests/{id}/rehearsal}: what an approver should know before signing for a policy. The analysis of what would
 * decide, compared with what decides now, and how it would have decided what was asked for lately.
 */
@RestController
public final class ChangeRehearsalController {
  /** How far back the recorded requests are decided again, unless another time is asked for. */
  static final Duration LATELY = Duration.ofDays(30);

  private final ChangeControl changes;
  private final NamedPolicies documents;
  private final PolicyStore policies;
  private final RecordedDecisions decisions;
  private final Clock clock;

  ChangeRehearsalController(ChangeControl changes, NamedPolicies documents, PolicyStore policies,
      RecordedDecisions decisions, Clock clock) {
    this.changes = changes;
    this.documents = documents;
    this.policies = policies;
    this.decisions = decisions;
    this.clock = clock;
  }

  /** What would decide. */
  private record After(UUID policyId, Policy policy, Policy.Target target) {}

  @GetMapping("/v1/change-requests/{id}/rehearsal")
  void rehearse(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id, HttpServletRequest request,
      HttpServletResponse response) throws IOException {
    var query = new Query(request);
    var from = query.get("from", Query::time).orElseGet(() -> clock.instant().minus(LATELY));
    query.refuseFaults();
    var content = Id.CHANGE.parse(id).flatMap(changeId -> changes.find(caller.tenantId(), changeId))
        .orElseThrow(() -> Problem.notFound("change request")).content();
    switch (Change.parse((Json.Obj) Objects.requireNonNull(content.get("change")))) {
      case Change.Attach(var target, var targetId, var policyId, var version) -> {
        var after = new After(policyId, documents.stored(caller.tenantId(), policyId, version), target);
        var run = new BacktestRun(decisions, policies, caller.tenantId(),
            new Backtest.Candidate(policyId, after.policy(), target, targetId), from, soon());
        LineStream.answer(response, run.size(),
            lines -> lines
                .write(analysed(caller.tenantId(), run.report(lines), after, before(caller.tenantId(), content))));
      }
      case Change.Publish(var policyId, var version) -> {
        // Nothing decides by it yet, whatever was asked for: there is no target to try it at.
        var after = new After(policyId, documents.stored(caller.tenantId(), policyId, version), Policy.Target.WALLET);
        LineStream.answer(response, 0,
            lines -> lines
                .write(analysed(caller.tenantId(), Json.object().put("type", "report").put("version", version),
                    after, published(caller.tenantId(), policyId, version))));
      }
      case Change.Detach _,Change.Members _,Change.Principals _,Change.Key _,Change.Control _ -> throw Problem.notFound(
          "rehearsal: only requests to attach or to publish a policy have one");
    }
  }

  private Instant soon() {
    return clock.instant().plusSeconds(1);
  }

  /** What is attached at the target until then. */
  private Optional<Policy> before(UUID tenantId, Json.Obj content) {
    return content.get("before") instanceof Json.Obj before && before.get("policy") instanceof Json.Str(var policy)
        && before.get("version") instanceof Json.Str(var version)
            ? Id.POLICY.parse(policy).map(policyId -> documents.stored(tenantId, policyId, version))
            : Optional.empty();
  }

  /** The newest of the other versions that were published. */
  private Optional<Policy> published(UUID tenantId, UUID policyId, String version) {
    return policies.versions(tenantId, policyId).stream()
        .filter(other -> other.publishedAt() != null && !other.version().equals(version)).findFirst()
        .map(other -> documents.stored(tenantId, policyId, other.version()));
  }

  private Json analysed(UUID tenantId, Json.Builder report, After after, Optional<Policy> before) {
    var assets = documents.context(tenantId).assets();
    try {
      return report.put("analysis", AnalysisView.of(after.policy(), before, after.target(), assets)).build();
    } catch (IllegalArgumentException tooLarge) {
      return report.put("notAnalysed", tooLarge.getMessage()).build();
    }
  }
}
