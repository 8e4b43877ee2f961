package io.bursar.policy;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.spend.Id;

/** Policies as JSON documents. */
public final class PolicyJson {
  private PolicyJson() {}

  /** The identity of a document: {@code sha256:} and the SHA-256 of its canonical bytes (RFC 8785). */
  public static String version(Json document) {
    return "sha256:" + Digests.hex(JsonText.canonical(document));
  }

  /** A match as it stands in a document, lists sorted: equal matches are written alike. */
  static Json write(Match match) {
    var payees = match.payees();
    var amount = match.amount();
    return Json.object()
        .put("assets", sorted(match.assets(), Function.identity()))
        .put("currency", match.currency())
        .put("chains", sorted(match.chains(), Function.identity()))
        .put("payees", payees == null
            ? null
            : Json.object().put(payees.listed() ? "in" : "notIn", sorted(payees.addresses(), Object::toString)).build())
        .put("amount", amount == null
            ? null
            : Json.object().put("from", number(amount.from())).put("to", number(amount.to()))
                .put("above", number(amount.above())).build())
        .put("methods", sorted(match.methods(), Function.identity()))
        .put("hosts", sorted(match.hosts(), Function.identity()))
        .put("categories", sorted(match.categories(), Function.identity()))
        .put("agents", sorted(match.agents(), Id.AGENT::text))
        .put("wallets", sorted(match.wallets(), Id.WALLET::text))
        .build();
  }

  /** A window as it stands in a document. */
  static Json write(Window window) {
    return switch (window) {
      case Window.Spend spend -> new Json.Str("spend");
      case Window.Lifetime lifetime -> new Json.Str("lifetime");
      case Window.Rolling rolling -> Json.object().put("rolling", rolling.length().toString()).build();
      case Window.Calendar calendar ->
        Json.object().put("calendar", calendar.unit().name().toLowerCase(Locale.ROOT))
            .put("zone", calendar.zone().getId())
            .build();
    };
  }

  private static <T> @Nullable Json sorted(@Nullable Set<T> values, Function<T, String> text) {
    return values == null ? null : Json.strings(values.stream().map(text).sorted().toList());
  }

  private static @Nullable String number(@Nullable BigDecimal number) {
    return number == null ? null : number.signum() == 0 ? "0" : number.stripTrailingZeros().toPlainString();
  }
}
