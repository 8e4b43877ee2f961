package io.bursar.api.rehearsal;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyContext;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.ValueSet;
import io.bursar.policy.cel.CelConditions;

/**
 * A policy document in a file, read as the service would read it. There is no service to ask for assets and groups: unless
 * they are given, those that the document names are taken to exist, beside the well-known ones.
 */
final class PolicyFile {
  private static final String CHAIN = "eip155:8453";
  private static final Address NO_CONTRACT = Address.of(new byte[Address.BYTES]);
  private static final int MEMBERS = 100;

  private record Known(String symbol, int decimals, String currency) {}

  private static final List<Known> KNOWN = List.of(new Known("USDC", 6, "USD"), new Known("USDT", 6, "USD"),
      new Known("PYUSD", 6, "USD"), new Known("DAI", 18, "USD"), new Known("EURC", 6, "EUR"));

  /** A document that is a policy. */
  record Read(Policy policy, List<Asset> assets, List<String> warnings) {}

  private PolicyFile() {}

  /**
   * Reads a file.
   *
   * @param assets those that exist; absent for those that the document names
   * @param groups likewise, with the number of their members
   * @param sets likewise, by {@code name@version}; absent for any, each without values
   * @param faults what is wrong is added to it, as {@code FILE:LINE: POINTER MESSAGE}
   * @return empty where something is
   */
  static Optional<Read> read(Path path, Optional<List<Asset>> assets, Optional<Map<String, Integer>> groups,
      Optional<Map<String, ValueSet>> sets, List<String> faults) {
    var file = new YamlFile(path);
    var text = file.read();
    if (text == null) {
      faults.addAll(file.faults());
      return Optional.empty();
    }
    Json document;
    try {
      document = JsonText.parse(text.getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      faults.add(path + ": " + e.getMessage());
      return Optional.empty();
    }
    var named = new Named();
    named.collect(document);
    var existing = assets.orElseGet(named::assets);
    var environment = new PolicyEnvironment(
        reference -> sets.isPresent()
            ? Optional.ofNullable(sets.get().get(reference))
            : Optional.of(ValueSet.of(reference, ValueSet.Kind.ADDRESSES, List.of())),
        CelConditions.INSTANCE);
    var context = new PolicyContext(existing, groups.orElseGet(named::groups), environment);
    return switch (PolicyJson.parse(document, context)) {
      case PolicyJson.Parsed(var policy, var warnings) -> Optional.of(new Read(policy, existing,
          warnings.stream().map(warning -> at(path, warning.pointer()) + warning.message()).toList()));
      case PolicyJson.Refused(var refused) -> {
        refused.forEach(fault -> faults.add(at(path, fault.pointer()) + fault.message()));
        yield Optional.empty();
      }
    };
  }

  /** Where a pointer leads. */
  private static String at(Path path, String pointer) {
    var document = new YamlFile(path).document(); // JSON is YAML, and this reader knows lines
    var line = document == null ? "" : ":" + YamlFile.lineOf(document, pointer);
    return path + line + ": " + (pointer.isEmpty() ? "" : pointer + " ");
  }

  /** What a document names. */
  private static final class Named {
    private final Set<String> symbols = new LinkedHashSet<>();
    private final Set<String> currencies = new TreeSet<>();
    private final Set<String> chains = new LinkedHashSet<>();
    private final Set<String> groups = new TreeSet<>();

    void collect(Json document) {
      if (document instanceof Json.Obj object && object.get("rules") instanceof Json.Arr(var rules)) {
        for (var rule : rules) {
          if (rule instanceof Json.Obj fields) {
            if (fields.get("match") instanceof Json.Obj match) {
              texts(match.get("assets"), symbols);
              texts(match.get("chains"), chains);
              text(match.get("currency"), currencies);
            }
            if (fields.get("groups") instanceof Json.Arr(var asked)) {
              asked.forEach(group -> text(group instanceof Json.Obj named ? named.get("group") : null, groups));
            }
          }
        }
      }
      symbols.removeIf(symbol -> !Asset.SYMBOL.matcher(symbol).matches());
      currencies.removeIf(currency -> !Asset.CURRENCY.matcher(currency).matches());
      chains.removeIf(chain -> !Asset.CHAIN.matcher(chain).matches());
    }

    private static void texts(@Nullable Json values, Set<String> into) {
      if (values instanceof Json.Arr(var items)) {
        items.forEach(item -> text(item, into));
      }
    }

    private static void text(@Nullable Json value, Set<String> into) {
      if (value instanceof Json.Str(var text)) {
        into.add(text);
      }
    }

    /** What the document names first, then what is well known. */
    List<Asset> assets() {
      var known = new TreeMap<String, Known>();
      KNOWN.forEach(asset -> known.put(asset.symbol(), asset));
      var order = new LinkedHashSet<>(symbols);
      KNOWN.forEach(asset -> order.add(asset.symbol()));
      List<Asset> assets = new ArrayList<>();
      for (var chain : chains.isEmpty() ? Set.of(CHAIN) : chains) {
        for (var symbol : order) {
          var asset = known.get(symbol);
          assets.add(new Asset(chain, NO_CONTRACT, symbol, asset == null ? Asset.DECIMALS_MAX : asset.decimals(),
              asset == null ? null : asset.currency()));
        }
        currencies.stream().filter(currency -> KNOWN.stream().noneMatch(asset -> asset.currency().equals(currency)))
            .forEach(currency -> assets.add(new Asset(chain, NO_CONTRACT, currency, 6, currency)));
      }
      return assets;
    }

    Map<String, Integer> groups() {
      var members = new TreeMap<String, Integer>();
      groups.forEach(group -> members.put(group, MEMBERS));
      return members;
    }
  }
}
