package io.bursar.api.audit;

import java.math.BigDecimal;
import java.util.HexFormat;
import java.util.List;

import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.spend.Id;
import io.bursar.store.AuthorizationQuery;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/authorizations}: the record of every decision. */
@RestController
public final class AuthorizationController {
  private static final List<String> EFFECTS = List.of("allow", "require_approval", "deny");

  private final AuthorizationQuery authorizations;

  AuthorizationController(AuthorizationQuery authorizations) {
    this.authorizations = authorizations;
  }

  @GetMapping("/v1/authorizations")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var filter = new AuthorizationQuery.Filter(query.id("agentId", Id.AGENT), query.id("walletId", Id.WALLET),
        query.get("payee", Address::parse), query.get("asset", text -> text),
        query.get("effect", text -> oneOf(EFFECTS, text)),
        query.get("status", text -> text), query.get("reasonCode", text -> text),
        query.get("policyVersion", text -> text),
        query.get("from", Query::time), query.get("to", Query::time),
        query.get("amountFrom", AuthorizationController::amount),
        query.get("amountTo", AuthorizationController::amount),
        query.get("order", text -> oneOf(List.of("newest", "oldest"), text)).orElse("newest").equals("newest"));
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(authorizations.list(caller.tenantId(), filter, page), AuthorizationController::view));
  }

  @GetMapping("/v1/authorizations/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return Bodies.ok(
        view(Id.AUTHORIZATION.parse(id).flatMap(authorization -> authorizations.find(caller.tenantId(), authorization))
            .orElseThrow(() -> Problem.notFound("authorization"))));
  }

  private static String oneOf(List<String> choices, String text) {
    if (!choices.contains(text)) {
      throw new IllegalArgumentException("must be one of " + String.join(", ", choices));
    }
    return text;
  }

  private static BigDecimal amount(String text) {
    if (!text.matches("[0-9]{1,78}(\\.[0-9]{1,18})?")) {
      throw new IllegalArgumentException("must be a plain decimal number such as `1.25`");
    }
    return new BigDecimal(text);
  }

  private static Json view(AuthorizationQuery.Authorization authorization) {
    return Json.object().put("id", Id.AUTHORIZATION.text(authorization.id()))
        .put("spendId", Id.SPEND.text(authorization.spendId()))
        .put("seq", authorization.seq()).put("at", authorization.at().toString()).put("effect", authorization.effect())
        .put("status", authorization.status()).put("leafHash", HexFormat.of().formatHex(authorization.leafHash()))
        .put("entry", authorization.entry()).build();
  }
}
