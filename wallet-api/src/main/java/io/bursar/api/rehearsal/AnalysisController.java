package io.bursar.api.rehearsal;

import java.math.BigInteger;
import java.util.List;
import java.util.Locale;
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
import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.Policy;
import io.bursar.policy.Rule;
import io.bursar.rehearsal.Analysis;
import io.bursar.rehearsal.IdleRules;
import io.bursar.rehearsal.NewlyPermitted;
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
      return Bodies.ok(view(policy, wanted.attachedTo(), assets)
          .put("comparison", other.map(before -> comparison(before, policy, wanted.attachedTo(), assets)).orElse(null))
          .build());
    } catch (IllegalArgumentException e) {
      throw Problem.of(ProblemCode.ANALYSIS_TOO_LARGE, e.getMessage() + "; analyse smaller policies one by one");
    }
  }

  private static Json.Builder view(Policy policy, Policy.Target attachedTo, List<Asset> assets) {
    List<Json> idle = IdleRules.of(policy, attachedTo, assets).stream().<Json>map(rule -> Json.object()
        .put("pointer", "/rules/" + rule.index()).put("rule", rule.rule()).put("why", rule.why()).build()).toList();
    return Json.object().put("version", policy.version())
        .put("attachedTo", attachedTo.name().toLowerCase(Locale.ROOT))
        .put("most", most(Analysis.bounds(policy, attachedTo, assets))).put("neverMatter", new Json.Arr(idle))
        .put("conditions",
            Json.strings(policy.rules().stream().filter(rule -> rule.when() != null).map(Rule::id).toList()));
  }

  private static Json most(List<Analysis.Bound> bounds) {
    return new Json.Arr(bounds.stream().<Json>map(bound -> Json.object().put("of", bound.unit())
        .put("withoutApprovers", most(bound.withoutApprovers())).put("withApprovers", most(bound.withApprovers()))
        .build()).toList());
  }

  private static Json most(Analysis.Most most) {
    var view = Json.object().put("spend", text(most.spend()));
    most.within().forEach((name, bound) -> view.put(name, text(bound)));
    return view.build();
  }

  private static String text(Optional<BigInteger> parts) {
    return parts.map(sum -> Amount.format(sum, Asset.DECIMALS_MAX)).orElse("unlimited");
  }

  private static Json comparison(Policy before, Policy after, Policy.Target attachedTo, List<Asset> assets) {
    var found = NewlyPermitted.of(before, after, attachedTo, assets);
    List<Json> examples = found.examples().stream().<Json>map(example -> {
      var facts = example.facts();
      return Json.object().put("before", DecisionJson.text(example.before()))
          .put("after", DecisionJson.text(example.after())).put("at", example.at().toString())
          .put("asset", facts.asset().symbol()).put("chain", facts.asset().chain())
          .put("amount", Amount.format(facts.amount(), facts.asset().decimals())).put("to", facts.payee().toString())
          .put("host", facts.host()).put("category", facts.category()).build();
    }).toList();
    return Json.object().put("version", before.version()).put("most", most(Analysis.bounds(before, attachedTo, assets)))
        .put("newlyPermitted", new Json.Arr(examples)).put("complete", found.complete()).build();
  }
}
