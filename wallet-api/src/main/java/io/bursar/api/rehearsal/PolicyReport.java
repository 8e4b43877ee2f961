package io.bursar.api.rehearsal;

import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.policy.Rule;
import io.bursar.rehearsal.Analysis;
import io.bursar.rehearsal.IdleRules;
import io.bursar.rehearsal.NewlyPermitted;

/** What follows from policies in files, as a person reads it. A policy is looked at as if it were attached to a wallet. */
final class PolicyReport {
  private final PrintStream out;
  private final PrintStream err;

  PolicyReport(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  private Optional<PolicyFile.Read> read(Path path) {
    List<String> faults = new ArrayList<>();
    var read = PolicyFile.read(path, Optional.empty(), Optional.empty(), Optional.empty(), faults);
    faults.forEach(err::println);
    return read;
  }

  int analyse(List<Path> files) {
    int code = 0;
    for (var path : files) {
      var read = read(path);
      if (read.isEmpty()) {
        code = 1;
        continue;
      }
      try {
        show(read.get().policy(), read.get().assets());
      } catch (IllegalArgumentException e) {
        err.println(path + ": " + e.getMessage());
        code = 1;
      }
    }
    return code;
  }

  private void show(Policy policy, List<Asset> assets) {
    out.println("Policy `" + policy.name() + "`, attached to a wallet. The most that can leave it:");
    out.println();
    out.println(
        "  %-8s %-18s %16s %16s %16s %16s".formatted("", "", "one spend", "any hour", "any day", "any 30 days"));
    for (var bound : Analysis.bounds(policy, Policy.Target.WALLET, assets)) {
      if (!isNothing(bound.withApprovers()) || !isNothing(bound.withoutApprovers())) {
        out.println(line(bound.unit(), "without approvers", bound.withoutApprovers()));
        out.println(line("", "with approvers", bound.withApprovers()));
      }
    }
    var unseen = policy.rules().stream().filter(rule -> rule.when() != null).map(Rule::id).toList();
    if (!unseen.isEmpty()) {
      out.println();
      out.println("  This is \"at most\": the conditions of " + String.join(", ", unseen) + " were not seen through.");
    }
    for (var idle : IdleRules.of(policy, Policy.Target.WALLET, assets)) {
      out.println();
      out.println("  [" + idle.rule() + "] never matters: " + idle.why());
    }
    out.println();
  }

  private static boolean isNothing(Analysis.Most most) {
    return most.spend().equals(Optional.of(BigInteger.ZERO));
  }

  private static String line(String unit, String who, Analysis.Most most) {
    return "  %-8s %-18s %16s %16s %16s %16s".formatted(unit, who, text(most.spend()), within(most, "hour"),
        within(most, "day"), within(most, "thirtyDays"));
  }

  private static String within(Analysis.Most most, String stretch) {
    return text(most.within().getOrDefault(stretch, Optional.empty()));
  }

  private static String text(Optional<BigInteger> parts) {
    return parts.map(sum -> Amount.format(sum, Asset.DECIMALS_MAX)).orElse("unlimited");
  }

  int compare(Path oldFile, Path newFile) {
    var before = read(oldFile);
    var after = read(newFile);
    if (before.isEmpty() || after.isEmpty()) {
      return 1;
    }
    var assets = new ArrayList<>(before.get().assets());
    after.get().assets().stream().filter(asset -> !assets.contains(asset)).forEach(assets::add);
    NewlyPermitted.Found found;
    try {
      found = NewlyPermitted.of(before.get().policy(), after.get().policy(), Policy.Target.WALLET, assets);
    } catch (IllegalArgumentException e) {
      err.println(newFile + ": " + e.getMessage());
      return 1;
    }
    out.println(found.examples().isEmpty()
        ? "Nothing that the old policy does not permit to a wallet that has never spent."
        : "The new policy is freer, for a wallet that has never spent:");
    for (var example : found.examples()) {
      var facts = example.facts();
      out.println("  " + word(example.before().name()) + " → " + word(example.after().name()) + ", such as "
          + Amount.format(facts.amount(), facts.asset().decimals()) + " " + facts.asset().symbol() + " to "
          + facts.payee() + (facts.host() == null ? "" : " host " + facts.host())
          + (facts.category() == null ? "" : " for " + facts.category()) + " at " + example.at());
    }
    if (!found.complete()) {
      out.println("  Not everything was compared: conditions, and schedules beyond their first changes, were not.");
    }
    return 0;
  }

  private static String word(String effect) {
    return Set.of("REQUIRE_APPROVAL").contains(effect) ? "approval" : effect.toLowerCase(Locale.ROOT);
  }
}
