package io.bursar.api.rehearsal;

import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.policies.NamedPolicies;
import io.bursar.json.JsonReader;
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
    var run = new BacktestRun(decisions, policies, caller.tenantId(),
        new Backtest.Candidate(policyId, policy, target.kind(), target.id()), from, to);
    LineStream.answer(response, run.size(), lines -> lines.write(run.report(lines).build()));
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
}
