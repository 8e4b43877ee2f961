package io.bursar.api.audit;

import java.math.BigDecimal;
import java.util.List;

import io.bursar.api.http.Query;
import io.bursar.api.spends.SpendView;
import io.bursar.money.Address;
import io.bursar.spend.Id;
import io.bursar.store.AuthorizationQuery;

/** Reads which decisions are asked for; the list and the export take the same parameters. */
final class AuthorizationFilters {
  private static final List<String> EFFECTS = List.of("allow", "require_approval", "deny");

  private AuthorizationFilters() {}

  /** @param order the order where none is asked for: {@code newest} or {@code oldest} first */
  static AuthorizationQuery.Filter read(Query query, String order) {
    return new AuthorizationQuery.Filter(query.id("agentId", Id.AGENT), query.id("walletId", Id.WALLET),
        query.get("payee", Address::parse), query.get("asset", Query::symbol),
        query.get("effect", text -> oneOf(EFFECTS, text)),
        query.get("status", SpendView::status), query.get("reasonCode", AuthorizationFilters::reasonCode),
        query.get("policyVersion", AuthorizationFilters::version),
        query.get("from", Query::time), query.get("to", Query::time),
        query.get("amountFrom", AuthorizationFilters::amount),
        query.get("amountTo", AuthorizationFilters::amount),
        query.get("order", text -> oneOf(List.of("newest", "oldest"), text)).orElse(order).equals("newest"));
  }

  static String oneOf(List<String> choices, String text) {
    if (!choices.contains(text)) {
      throw new IllegalArgumentException("must be one of " + String.join(", ", choices));
    }
    return text;
  }

  private static String reasonCode(String text) {
    if (!text.matches("[A-Z_]{1,64}")) {
      throw new IllegalArgumentException("must be a reason code such as `NO_PERMIT`");
    }
    return text;
  }

  static String version(String text) {
    if (!text.matches("sha256:[0-9a-f]{64}")) {
      throw new IllegalArgumentException("must be `sha256:` and 64 hexadecimal digits");
    }
    return text;
  }

  private static BigDecimal amount(String text) {
    if (!text.matches("[0-9]{1,78}(\\.[0-9]{1,18})?")) {
      throw new IllegalArgumentException("must be a plain decimal number such as `1.25`");
    }
    return new BigDecimal(text);
  }
}
