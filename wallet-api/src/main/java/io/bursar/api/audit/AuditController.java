package io.bursar.api.audit;

import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Counter;
import io.bursar.policy.PolicyJson;
import io.bursar.spend.Id;
import io.bursar.store.AuditQuestions;
import io.bursar.store.AuthorizationQuery;
import io.bursar.store.LimitsAsOf;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/audit}: the questions that auditors ask time and again, one call each. */
@RestController
public final class AuditController {
  private final AuthorizationQuery authorizations;
  private final AuditQuestions questions;
  private final LimitsAsOf limits;
  private final Clock clock;

  AuditController(AuthorizationQuery authorizations, AuditQuestions questions, LimitsAsOf limits, Clock clock) {
    this.authorizations = authorizations;
    this.questions = questions;
    this.limits = limits;
    this.clock = clock;
  }

  /** Everything that an agent did between two times, and, with the first page, what was done about it. */
  @GetMapping("/v1/audit/activity")
  ResponseEntity<byte[]> activity(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var agent = query.id("agentId", Id.AGENT);
    var from = query.get("from", Query::time);
    var to = query.get("to", Query::time);
    var page = query.page();
    query.required("agentId");
    query.refuseFaults();
    var filter = new AuthorizationQuery.Filter(agent, Optional.empty(), Optional.empty(), Optional.empty(),
        Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), from, to, Optional.empty(),
        Optional.empty(), false);
    var changes = page.after().isPresent()
        ? List.<AuditQuestions.Entry>of()
        : questions.changesAbout(caller.tenantId(), agent.orElseThrow(), from, to);
    var list = (Json.Obj) Query.list(authorizations.list(caller.tenantId(), filter, page),
        AuthorizationController::view);
    return Bodies.ok(Json.object().put("data", list.get("data"))
        .put("changes", new Json.Arr(changes.stream().map(AuditController::entry).toList()))
        .put("nextCursor", list.get("nextCursor")).build());
  }

  private static Json entry(AuditQuestions.Entry entry) {
    return Json.object().put("seq", entry.seq()).put("at", entry.at().toString()).put("kind", entry.kind())
        .put("actor", entry.body().get("actor")).put("entry", entry.body()).build();
  }

  /** All denials with their reasons, the newest first. */
  @GetMapping("/v1/audit/denials")
  ResponseEntity<byte[]> denials(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var filter = new AuthorizationQuery.Filter(query.id("agentId", Id.AGENT), query.id("walletId", Id.WALLET),
        Optional.empty(), Optional.empty(), Optional.of("deny"), Optional.empty(), Optional.empty(), Optional.empty(),
        query.get("from", Query::time), query.get("to", Query::time), Optional.empty(), Optional.empty(), true);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(authorizations.list(caller.tenantId(), filter, page), AuditController::denial));
  }

  private static Json denial(AuthorizationQuery.Authorization denied) {
    var request = denied.request();
    var decision = (Json.Obj) denied.entry().get("decision");
    return amount(Json.object().put("authorizationId", Id.AUTHORIZATION.text(denied.id()))
        .put("spendId", Id.SPEND.text(denied.spendId())).put("at", denied.at().toString())
        .put("agentId", Id.AGENT.text(request.agentId())).put("walletId", Id.WALLET.text(request.walletId())),
        request.asset(), request.amount()).put("to", request.payee().toString())
        .put("reasons", decision == null ? null : decision.get("reasons")).build();
  }

  static Json.Builder amount(Json.Builder view, Asset asset, java.math.BigInteger units) {
    return view.put("chain", asset.chain()).put("asset", asset.symbol())
        .put("amount", Amount.format(units, asset.decimals()));
  }

  /** How much of each limit was used at a time. */
  @GetMapping("/v1/audit/limits")
  ResponseEntity<byte[]> limits(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var wallet = query.id("walletId", Id.WALLET);
    var at = query.get("at", Query::time).orElseGet(clock::instant);
    query.refuseFaults();
    var data = limits.at(caller.tenantId(), wallet, at).stream().map(AuditController::limit).toList();
    return Bodies.ok(Json.object().put("at", at.toString()).put("data", new Json.Arr(data)).build());
  }

  private static Json limit(LimitsAsOf.LimitState state) {
    var limit = state.limit();
    var counts = new ArrayList<Json>();
    for (var count : state.counts()) {
      counts.add(Json.object().put("per", per(state, count))
          .put("used", limit.max() == null ? null : Amount.format(count.sum(), Asset.DECIMALS_MAX))
          .put("spends", count.spends()).build());
    }
    return Json.object().put("policyId", Id.POLICY.text(state.policyId())).put("version", state.version())
        .put("rule", limit.id()).put("attachedTo", state.attachedTo().name().toLowerCase(java.util.Locale.ROOT))
        .put("targetId", state.target()).put("window", PolicyJson.write(limit.window()))
        .put("since", state.since().map(Object::toString).orElse(null))
        .put("max", limit.max() == null ? null : limit.max().toPlainString())
        .put("maxCount", limit.maxCount() == null ? null : new Json.Num(limit.maxCount()))
        .put("counts", new Json.Arr(counts)).build();
  }

  private static Json per(LimitsAsOf.LimitState state, LimitsAsOf.Count count) {
    Set<Counter.Dimension> dimensions = state.limit().per().isEmpty()
        ? Set.of(Counter.Dimension.valueOf(state.attachedTo().name()))
        : state.limit().per();
    var per = Json.object();
    var facts = count.of();
    for (var dimension : Counter.Dimension.values()) {
      if (dimensions.contains(dimension)) {
        per.put(dimension.name().toLowerCase(java.util.Locale.ROOT), switch (dimension) {
          case TENANT -> Id.TENANT.text(facts.tenantId());
          case AGENT -> Id.AGENT.text(facts.agentId());
          case WALLET -> Id.WALLET.text(facts.walletId());
          case PAYEE -> facts.payee().toString();
          case HOST -> facts.host();
          case CATEGORY -> facts.category();
        });
      }
    }
    return per.build();
  }

  /** What was changed in policies and where they are attached, with the difference, by whom, and who approved; the oldest first. */
  @GetMapping("/v1/audit/policy-changes")
  ResponseEntity<byte[]> policyChanges(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var from = query.get("from", Query::time);
    var to = query.get("to", Query::time);
    var page = query.page();
    query.refuseFaults();
    // The cursor of this list is the number of an entry.
    long after = page.after().map(UUID::getLeastSignificantBits).filter(seq -> seq > 0).orElse(0L);
    var entries = questions.changes(caller.tenantId(), from, to, after, "policy", page.limit() + 1);
    boolean more = entries.size() > page.limit();
    var shown = more ? entries.subList(0, page.limit()) : entries;
    var data = shown.stream().map(entry -> policyChange(caller.tenantId(), entry)).toList();
    return Bodies.ok(Json.object().put("data", new Json.Arr(data)).put("nextCursor",
        more ? new Json.Str(Id.CURSOR.text(new UUID(0, shown.getLast().seq()))) : Json.NULL).build());
  }

  private Json policyChange(UUID tenantId, AuditQuestions.Entry entry) {
    var body = entry.body();
    var replaced = entry.kind().equals("policy.attached") ? replaced(tenantId, entry) : null;
    return Json.object().put("seq", entry.seq()).put("at", entry.at().toString()).put("kind", entry.kind())
        .put("actor", body.get("actor")).put("policyId", body.get("policy")).put("version", body.get("version"))
        .put("target", body.get("target")).put("targetId", body.get("targetId"))
        .put("replacedPolicyId", replaced == null ? null : replaced.get("policy"))
        .put("replacedVersion", replaced == null ? null : replaced.get("version"))
        .put("changes", changes(tenantId, entry, replaced))
        // What had to wait for a quorum was done by a change, which stands as the actor.
        .put("approvers", Json.strings(Id.CHANGE.parse(text(body, "actor"))
            .map(change -> questions.approversOf(tenantId, change)).orElse(List.of())))
        .build();
  }

  private Json.@Nullable Obj replaced(UUID tenantId, AuditQuestions.Entry entry) {
    var target = text(entry.body(), "targetId");
    return questions.attachedBefore(tenantId, entry.seq(), Set.of(target)).get(target);
  }

  /** From the version before to a new one; from what was attached to what is; and from what was attached to nothing. */
  private Json.Arr changes(UUID tenantId, AuditQuestions.Entry entry, Json.@Nullable Obj replaced) {
    var after = document(tenantId, entry.body());
    return switch (entry.kind()) {
      case "policy.version_created" -> JsonDiff.of(versionBefore(tenantId, entry.body()), after);
      case "policy.attached" -> JsonDiff.of(replaced == null ? null : document(tenantId, replaced), after);
      case "policy.detached" -> JsonDiff.of(after, null);
      default -> new Json.Arr(List.of());
    };
  }

  private @Nullable Json document(UUID tenantId, Json.Obj body) {
    return Id.POLICY.parse(text(body, "policy"))
        .map(policy -> questions.documents(tenantId, policy).get(text(body, "version"))).orElse(null);
  }

  private @Nullable Json versionBefore(UUID tenantId, Json.Obj body) {
    var documents = Id.POLICY.parse(text(body, "policy")).map(policy -> questions.documents(tenantId, policy));
    Json before = null;
    if (documents.isPresent()) {
      for (var version : documents.get().entrySet()) {
        if (version.getKey().equals(text(body, "version"))) {
          return before;
        }
        before = version.getValue();
      }
    }
    return null;
  }

  private static String text(Json.Obj object, String name) {
    return object.get(name) instanceof Json.Str(var text) ? text : "";
  }

  /** What was authorized and never sent to any node, the oldest first. */
  @GetMapping("/v1/audit/unbroadcast")
  ResponseEntity<byte[]> unbroadcast(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var from = query.get("from", Query::time);
    var to = query.get("to", Query::time);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(questions.unbroadcast(caller.tenantId(), from, to, page),
        spend -> amount(Json.object().put("spendId", Id.SPEND.text(spend.spendId()))
            .put("walletId", Id.WALLET.text(spend.walletId())), spend.asset(), spend.amount())
            .put("to", spend.payee().toString()).put("authorizedAt", spend.authorizedAt().toString())
            .put("status", spend.state()).put("failure", spend.failure()).build()));
  }
}
