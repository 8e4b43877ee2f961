package io.bursar.api.rehearsal;

import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.policy.ValueSet;
import io.bursar.rehearsal.Ledger;

/**
 * A file of scenarios for {@code policy test}:
 *
 * <pre>
 * policy: procurement.json        # or policies: [{file: all.json, attachedTo: tenant}, ...]
 * day: 2026-11-23                 # optional: the first day, UTC
 * assets: [{symbol: USDC, chain: "eip155:8453", decimals: 6, currency: USD}]    # optional: those that exist
 * groups: {finance: 3}            # optional: approver groups and how many members they have
 * sets: {"vendors@3": {addresses: ["0x…"]}}         # optional: value sets, of addresses, hosts or strings
 * names: {shop: "0x…"}            # optional: what the ledgers call accounts, agents and wallets
 * scenarios:
 *   - name: spends up to the limit of a day
 *     ledger: |
 *       at 10:00 spend 40 USDC to shop → allow
 *       +1h spend 70 to shop → deny LIMIT_EXCEEDED
 * </pre>
 */
final class ScenarioFile {
  private static final LocalDate DAY = LocalDate.of(2026, 11, 23); // a Monday
  private static final Set<String> FIELDS = Set.of("policy", "policies", "day", "assets", "groups", "sets", "names",
      "scenarios");

  record Scenario(String name, int line, List<Ledger.Line> ledger) {}

  /** A file that could be read; {@code warnings} are those of its policies. */
  record Read(Ledger.World world, List<Scenario> scenarios, List<String> warnings) {}

  private final Path path;
  private final YamlFile file;
  private final List<String> faults;

  private ScenarioFile(Path path, List<String> faults) {
    this.path = path;
    this.file = new YamlFile(path);
    this.faults = faults;
  }

  /** Reads a file; empty where something is wrong, which is then added to {@code faults}. */
  static Optional<Read> read(Path path, List<String> faults) {
    var reading = new ScenarioFile(path, faults);
    var before = faults.size();
    var result = reading.read();
    faults.addAll(reading.file.faults());
    return faults.size() > before ? Optional.empty() : Optional.ofNullable(result);
  }

  private @Nullable Read read() {
    var document = file.document();
    if (document == null) {
      return null;
    }
    var fields = file.members(document, "a file of scenarios", FIELDS);
    var assets = Optional.ofNullable(fields.get("assets")).map(this::assets);
    var groups = Optional.ofNullable(fields.get("groups")).map(this::groups);
    var sets = Optional.ofNullable(fields.get("sets")).map(this::sets);
    List<Policy.InForce> policies = new ArrayList<>();
    List<Asset> existing = new ArrayList<>(assets.orElse(List.of()));
    List<String> warnings = new ArrayList<>();
    for (var named : policies(document, fields)) {
      PolicyFile.read(named.path(), assets, groups, sets, faults).ifPresent(policy -> {
        policies.add(new Policy.InForce(new UUID(7, policies.size() + 1L), policy.policy(), named.target()));
        warnings.addAll(policy.warnings());
        policy.assets().stream().filter(asset -> !existing.contains(asset)).forEach(existing::add);
      });
    }
    var names = names(fields.get("names"));
    var day = day(fields.get("day"));
    var scenarios = scenarios(document, fields.get("scenarios"));
    return existing.isEmpty() ? null : new Read(new Ledger.World(existing, policies, names, day), scenarios, warnings);
  }

  private record NamedPolicy(Path path, Policy.Target target) {}

  private List<NamedPolicy> policies(Node document, Map<String, Node> fields) {
    var single = fields.get("policy");
    var several = fields.get("policies");
    List<NamedPolicy> policies = new ArrayList<>();
    if ((single == null) == (several == null)) {
      file.fault(document, "either `policy` or `policies` must be there");
    } else if (single != null) {
      var name = file.text(single, "`policy`", document);
      if (name != null) {
        policies.add(new NamedPolicy(path.resolveSibling(name), Policy.Target.WALLET));
      }
    } else if (several != null) {
      for (var item : file.items(several, "`policies`")) {
        var members = file.members(item, "a policy", Set.of("file", "attachedTo"));
        var name = file.text(members.get("file"), "`file`", item);
        var target = file.text(members.get("attachedTo"), "`attachedTo`", item);
        if (target != null && !List.of("tenant", "agent", "wallet").contains(target)) {
          file.fault(item, "`attachedTo` must be `tenant`, `agent` or `wallet`");
        } else if (name != null && target != null) {
          policies.add(
              new NamedPolicy(path.resolveSibling(name), Policy.Target.valueOf(target.toUpperCase(Locale.ROOT))));
        }
      }
    }
    return policies;
  }

  private List<Asset> assets(Node node) {
    List<Asset> assets = new ArrayList<>();
    for (var item : file.items(node, "`assets`")) {
      var members = file.members(item, "an asset", Set.of("symbol", "chain", "decimals", "currency"));
      var symbol = file.text(members.get("symbol"), "`symbol`", item);
      var chain = file.text(members.get("chain"), "`chain`", item);
      var decimals = file.text(members.get("decimals"), "`decimals`", item);
      var currency = members.get("currency") instanceof ScalarNode scalar ? scalar.getValue() : null;
      if (symbol == null || chain == null || decimals == null) {
        continue;
      }
      try {
        assets.add(
            new Asset(chain, Address.of(new byte[Address.BYTES]), symbol, wholeNumber(decimals), currency));
      } catch (IllegalArgumentException e) {
        file.fault(item, String.valueOf(e.getMessage()));
      }
    }
    return assets;
  }

  private static int wholeNumber(String text) {
    if (!text.matches("[0-9]{1,4}")) {
      throw new IllegalArgumentException("`" + text + "` is not a whole number");
    }
    return Integer.parseInt(text);
  }

  private Map<String, Integer> groups(Node node) {
    Map<String, Integer> groups = new HashMap<>();
    file.members(node, "`groups`", Set.of()).forEach((name, value) -> {
      var text = file.text(value, "the number of members of `" + name + "`", node);
      try {
        groups.put(name, text == null ? 0 : wholeNumber(text));
      } catch (IllegalArgumentException e) {
        file.fault(value, String.valueOf(e.getMessage()));
      }
    });
    return groups;
  }

  private Map<String, ValueSet> sets(Node node) {
    Map<String, ValueSet> sets = new HashMap<>();
    file.members(node, "`sets`", Set.of()).forEach((reference, set) -> {
      var kinds = file.members(set, "a set", Set.of("addresses", "hosts", "strings"));
      if (!ValueSet.REFERENCE.matcher(reference).matches() || kinds.size() != 1) {
        file.fault(set, "a set is called `name@version` and has either `addresses`, `hosts` or `strings`");
        return;
      }
      var kind = ValueSet.Kind.valueOf(kinds.keySet().iterator().next().toUpperCase(Locale.ROOT));
      List<String> values = new ArrayList<>();
      for (var item : file.items(kinds.values().iterator().next(), "the values of `" + reference + "`")) {
        var text = file.text(item, "a value", set);
        try {
          values.add(ValueSet.canonical(kind, text == null ? "" : text));
        } catch (IllegalArgumentException e) {
          file.fault(item, "`" + text + "` " + e.getMessage());
        }
      }
      if (file.faults().isEmpty()) {
        sets.put(reference, ValueSet.of(reference, kind, values));
      }
    });
    return sets;
  }

  private Map<String, String> names(@Nullable Node node) {
    Map<String, String> names = new HashMap<>();
    if (node != null) {
      file.members(node, "`names`", Set.of()).forEach((name, value) -> {
        var text = file.text(value, "what `" + name + "` stands for", node);
        if (text != null && !text.matches("(0x[0-9a-fA-F]{40}|(agt|wal)_[0-9a-f]{32})")) {
          file.fault(value,
              "`" + text + "` is neither an account (`0x` and 40 hexadecimal digits) nor an agent or wallet");
        } else if (text != null) {
          names.put(name, text);
        }
      });
    }
    return names;
  }

  private LocalDate day(@Nullable Node node) {
    if (node == null) {
      return DAY;
    }
    var text = file.text(node, "`day`", node);
    try {
      return text == null ? DAY : LocalDate.parse(text);
    } catch (DateTimeException e) {
      file.fault(node, "`" + text + "` is not a day such as `2026-11-23`");
      return DAY;
    }
  }

  private List<Scenario> scenarios(Node document, @Nullable Node node) {
    List<Scenario> scenarios = new ArrayList<>();
    if (node == null) {
      file.fault(document, "`scenarios` is missing");
      return scenarios;
    }
    for (var item : file.items(node, "`scenarios`")) {
      var members = file.members(item, "a scenario", Set.of("name", "ledger"));
      var name = file.text(members.get("name"), "`name`", item);
      var ledger = members.get("ledger");
      if (ledger == null) {
        file.fault(item, "`ledger` is missing");
      } else if (name != null) {
        scenarios.add(new Scenario(name, YamlFile.line(item), lines(ledger)));
      }
    }
    if (scenarios.isEmpty() && file.faults().isEmpty()) {
      file.fault(node, "there is no scenario in it");
    }
    return scenarios;
  }

  /** The lines of a block ({@code |}) or of a list, with their numbers in the file. */
  private List<Ledger.Line> lines(Node ledger) {
    List<Ledger.Line> lines = new ArrayList<>();
    if (ledger instanceof ScalarNode scalar && scalar.getScalarStyle() == DumperOptions.ScalarStyle.LITERAL) {
      int first = YamlFile.line(ledger) + 1;
      var texts = scalar.getValue().lines().toList();
      for (int i = 0; i < texts.size(); i++) {
        lines.add(new Ledger.Line(first + i, texts.get(i)));
      }
    } else if (ledger instanceof SequenceNode sequence) {
      for (var item : sequence.getValue()) {
        var text = file.text(item, "a line", ledger);
        if (text != null) {
          lines.add(new Ledger.Line(YamlFile.line(item), text));
        }
      }
    } else {
      file.fault(ledger, "`ledger` must be a block that begins with `|`, or a list of lines");
    }
    return lines;
  }
}
