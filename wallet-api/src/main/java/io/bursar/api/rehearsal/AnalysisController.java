package io.bursar.api.rehearsal;

import java.util.Optional;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.policies.NamedPolicies;
import io.bursar.policy.Policy;
import jakarta.servlet.http.HttpServletRequest;

/** {@code POST /v1/policies/{id}/analysis}: what follows from a policy's rules alone. */
@RestController
public final class AnalysisController {
  private final NamedPolicies documents;

  AnalysisController(NamedPolicies documents) {
    this.documents = documents;
  }

  private record Wanted(NamedPolicies.Named named, Policy.Target attachedTo, @Nullable String comparedWith) {}

  @PostMapping("/v1/policies/{id}/analysis")
  ResponseEntity<byte[]> analyse(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request, NamedPolicies.BODY_BYTES_MAX), reader -> {
      var named = NamedPolicies.Named.read(reader);
      var attachedTo = reader.parsed("attachedTo", 16, text -> switch (text) {
        case "tenant" -> Policy.Target.TENANT;
        case "agent" -> Policy.Target.AGENT;
        case "wallet" -> Policy.Target.WALLET;
        default -> throw new IllegalArgumentException("must be `tenant`, `agent` or `wallet`");
      });
      return new Wanted(named, attachedTo == null ? Policy.Target.WALLET : attachedTo,
          reader.text("comparedWith", 80));
    });
    var policyId = NamedPolicies.policyId(id);
    var policy = documents.policy(caller.tenantId(), policyId, wanted.named());
    var assets = documents.context(caller.tenantId()).assets();
    var other = Optional.ofNullable(wanted.comparedWith())
        .map(version -> documents.stored(caller.tenantId(), policyId, version));
    try {
      return Bodies.ok(AnalysisView.of(policy, other, wanted.attachedTo(), assets));
    } catch (IllegalArgumentException e) {
      throw Problem.of(ProblemCode.ANALYSIS_TOO_LARGE, e.getMessage() + "; analyse smaller policies one by one");
    }
  }
}
