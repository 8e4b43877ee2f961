package io.bursar.api.rehearsal;

import java.math.BigInteger;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.DecisionJson;
import io.bursar.policy.Policy;
import io.bursar.policy.Rule;
import io.bursar.rehearsal.Analysis;
import io.bursar.rehearsal.IdleRules;
import io.bursar.rehearsal.NewlyPermitted;

/** What follows from a policy's rules alone, as JSON. */
final class AnalysisView {
  private AnalysisView() {}

  /**
   * The analysis of a policy.
   *
   * @param before what it is compared with, if with anything
   * @throws IllegalArgumentException if there is more to look at than somebody can be kept waiting for
   */
  static Json of(Policy policy, Optional<Policy> before, Policy.Target attachedTo, List<Asset> assets) {
    return view(policy, attachedTo, assets)
        .put("comparison", before.map(older -> comparison(older, policy, attachedTo, assets)).orElse(null)).build();
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
