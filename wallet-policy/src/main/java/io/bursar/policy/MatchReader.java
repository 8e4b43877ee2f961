package io.bursar.policy;

import java.math.BigDecimal;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonReader.Fault;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.spend.Id;

/** Reads the {@code match} of a rule, and amounts in the unit that it fixes. */
final class MatchReader {
  static final int PAYEES_MAX = 1_000;
  static final int VALUES_MAX = 100;
  private static final int AMOUNT_LENGTH_MAX = 160;

  private static final Set<String> METHODS = Set.of("transfer", "transfer_authorization", "x402");
  static final Pattern HOST = Pattern
      .compile(
          "(?:\\*\\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*(?::[0-9]{1,5})?");

  private final @Nullable PolicyContext context;
  private final PolicyEnvironment environment;
  private final List<Fault> faults;

  MatchReader(@Nullable PolicyContext context, PolicyEnvironment environment, List<Fault> faults) {
    this.context = context;
    this.environment = environment;
    this.faults = faults;
  }

  /**
   * A match, and what amounts beside it mean.
   *
   * @param decimals how many decimals an amount may have; null where the match names neither one asset nor one currency
   * @param checked whether that has been looked at; not so where the match has a fault already, or was checked before
   */
  record Scope(Match match, @Nullable Integer decimals, boolean checked) {
    /** An amount in the unit of the match; null where it is absent or a fault was noted. */
    @Nullable
    BigDecimal amount(JsonReader reader, String name) {
      if (checked && decimals == null && reader.has(name)) {
        reader.fault(name, "needs exactly one asset or one currency in `match`, to say what it is an amount of");
        return null;
      }
      return reader.parsed(name, AMOUNT_LENGTH_MAX, text -> {
        Amount.parse(text, decimals == null ? finest(text) : decimals);
        return new BigDecimal(text);
      });
    }

    /** As many decimals as the text itself has, up to the most that there are. */
    private static int finest(String text) {
      int point = text.indexOf('.');
      return point < 0 ? 0 : Math.min(text.length() - point - 1, Asset.DECIMALS_MAX);
    }
  }

  Scope read(JsonReader rule) {
    var reader = rule.object("match");
    if (reader == null) {
      return new Scope(Match.ALL, null, context != null);
    }
    int faultsBefore = faults.size();
    var assets = RuleReader.set(reader, "assets", VALUES_MAX, 16, this::asset);
    var currency = reader.parsed("currency", 8, this::currency);
    var chains = RuleReader.set(reader, "chains", VALUES_MAX, 32,
        text -> RuleReader.matching(Asset.CHAIN, text, "must be a CAIP-2 name such as `eip155:8453`"));
    boolean checked = context != null && faults.size() == faultsBefore;
    var decimals = checked ? decimals(assets, currency, chains) : null;
    var amounts = new Scope(Match.ALL, decimals, checked);
    var match = new Match(assets, currency, chains, payees(reader.object("payees")),
        range(reader.object("amount"), amounts),
        RuleReader.set(reader, "methods", VALUES_MAX, 32, MatchReader::method),
        RuleReader.set(reader, "hosts", VALUES_MAX, 253,
            text -> RuleReader.matching(HOST, text,
                "must be a host in lower case such as `api.example.com`, or `*.example.com`")),
        RuleReader.set(reader, "categories", VALUES_MAX, 64, text -> text),
        RuleReader.set(reader, "agents", VALUES_MAX, 64,
            text -> id(Id.AGENT, text, "must be the identifier of an agent")),
        RuleReader.set(reader, "wallets", VALUES_MAX, 64,
            text -> id(Id.WALLET, text, "must be the identifier of a wallet")));
    reader.refuseUnknown();
    return new Scope(match, decimals, checked);
  }

  private @Nullable Integer decimals(@Nullable Set<String> assets, @Nullable String currency,
      @Nullable Set<String> chains) {
    if (context == null) {
      return null;
    }
    if (assets != null && assets.size() == 1) {
      return context.decimalsOfAsset(assets.iterator().next(), chains);
    }
    return currency == null ? null : Integer.valueOf(context.decimalsOfCurrency(currency));
  }

  private Match.@Nullable Payees payees(@Nullable JsonReader reader) {
    if (reader == null) {
      return null;
    }
    var in = payees(reader, "in", true);
    var notIn = payees(reader, "notIn", false);
    reader.refuseUnknown();
    if (reader.has("in") == reader.has("notIn")) {
      reader.fault("in", "or else `notIn` must be there, and not both");
      return null;
    }
    return in == null ? notIn : in;
  }

  /** A list of addresses, or the name of a set of them. */
  private Match.@Nullable Payees payees(JsonReader reader, String name, boolean listed) {
    var value = reader.value(name);
    if (value instanceof Json.Str) {
      return reader.parsed(name, 80, text -> named(text, listed));
    }
    if (value != null && !(value instanceof Json.Arr)) {
      reader.fault(name, "must be a list of addresses, or a set of them such as `vendors@3`");
      return null;
    }
    var addresses = RuleReader.set(reader, name, PAYEES_MAX, 64, Address::parse);
    return addresses == null ? null : new Match.Payees(listed, addresses);
  }

  private Match.Payees named(String text, boolean listed) {
    RuleReader.matching(ValueSet.REFERENCE, text, "must be a list of addresses, or a set of them such as `vendors@3`");
    var set = environment.sets().apply(text);
    if (set.isEmpty() && context != null) {
      throw new IllegalArgumentException("`" + text + "` is not a version of a set");
    }
    if (set.isPresent() && set.get().kind() != ValueSet.Kind.ADDRESSES) {
      throw new IllegalArgumentException("`" + text + "` is not a set of addresses");
    }
    return new Match.Payees(listed, set.map(ValueSet::addresses).orElse(Set.of()), text, set.isPresent());
  }

  private static Match.@Nullable AmountRange range(@Nullable JsonReader reader, Scope scope) {
    if (reader == null) {
      return null;
    }
    var from = scope.amount(reader, "from");
    var to = scope.amount(reader, "to");
    var above = scope.amount(reader, "above");
    reader.refuseUnknown();
    if (reader.has("from") && reader.has("above")) {
      reader.fault("above", "and `from` exclude each other");
    } else if (!reader.has("from") && !reader.has("to") && !reader.has("above")) {
      reader.fault("from", "or else `to` or `above` must be there");
    }
    return new Match.AmountRange(from, to, above);
  }

  private String asset(String text) {
    RuleReader.matching(Asset.SYMBOL, text, "must be the symbol of an asset, such as `USDC`");
    if (context != null && !context.hasAsset(text)) {
      throw new IllegalArgumentException("`" + text + "` is not a registered asset");
    }
    return text;
  }

  private String currency(String text) {
    RuleReader.matching(Asset.CURRENCY, text, "must be 3 to 8 capital letters, such as `USD`");
    if (context != null && !context.hasCurrency(text)) {
      throw new IllegalArgumentException("`" + text + "` is not the currency of any registered asset");
    }
    return text;
  }

  private static String method(String text) {
    if (!METHODS.contains(text)) {
      throw new IllegalArgumentException("must be `transfer`, `transfer_authorization` or `x402`");
    }
    return text;
  }

  private static java.util.UUID id(Id kind, String text, String message) {
    return kind.parse(text).orElseThrow(() -> new IllegalArgumentException(message));
  }
}
