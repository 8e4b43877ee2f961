package io.bursar.api.spends;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import io.bursar.api.http.Caller;
import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.DecidedSpend;
import io.bursar.store.Spend;

/** A spend as the API shows it. */
public final class SpendView {
  /** What an agent may see of a reason: the names of rules and policies are for administrators and auditors. */
  private static final Set<String> REASON_WITHOUT_RULE = Set.of("code", "message", "observed", "bound", "headroom");
  private static final Set<String> DECISION_FOR_AGENT = Set.of("effect", "implicit", "engine", "reasons",
      "maxAmountNow", "retryAt");
  private static final Set<String> DECISION_FOR_APPROVER = Stream.concat(DECISION_FOR_AGENT.stream(),
      Stream.of("approval")).collect(Collectors.toUnmodifiableSet());

  /** Every status, from the first to the last. */
  private static final java.util.List<String> STATUSES = List.of("denied", "awaiting_approval", "authorized",
      "prepared",
      "signed", "broadcast", "confirmed",
      "reverted", "rejected", "expired", "canceled", "failed");

  /** The states that nothing follows. */
  private static final Set<String> FINAL = Set.of("denied", "confirmed", "reverted", "rejected", "expired", "canceled",
      "failed");

  private final Map<String, Integer> confirmations;

  /**
   * A view of spends on these chains.
   *
   * @param confirmations by the chain's CAIP-2 name, how many blocks make a transaction final there
   */
  public SpendView(Map<String, Integer> confirmations) {
    this.confirmations = Map.copyOf(confirmations);
  }

  /**
   * The status that a text names.
   *
   * @throws IllegalArgumentException with a message for the client if it names none
   */
  public static String status(String text) {
    if (!STATUSES.contains(text)) {
      throw new IllegalArgumentException("must be one of " + String.join(", ", STATUSES));
    }
    return text;
  }

  public static boolean isFinal(Spend spend) {
    return FINAL.contains(spend.status());
  }

  public Json of(Spend spend, Caller caller) {
    var payment = spend.payment();
    return request(Json.object().put("id", Id.SPEND.text(spend.id())).put("status", spend.status()), spend.request())
        .put("decision", decision(spend.authorization().decision(), caller)).put("approvals", approvals(spend))
        .put("transaction", payment == null ? null : transaction(spend.request().asset().asset().chain(), payment))
        .put("failure", payment == null ? null : payment.failure())
        .put("failureReason", payment == null ? null : reason(payment, spend.request().asset().asset().decimals()))
        .put("cancelRequestedAt",
            payment == null || payment.cancelRequestedAt() == null ? null : payment.cancelRequestedAt().toString())
        .put("authorization", authorization(spend.authorization()))
        .put("createdAt", spend.decidedAt().toString())
        .put("updatedAt", (payment == null ? spend.decidedAt() : payment.updatedAt()).toString()).build();
  }

  /** Why it failed, in the form of a decision's reasons, where there is a code for it. */
  private static Json.@org.jspecify.annotations.Nullable Obj reason(Spend.Payment payment, int decimals) {
    var shortage = payment.shortage();
    return shortage == null
        ? null
        : Json.object().put("code", shortage.code()).put("message", payment.failure())
            .put("observed", Amount.format(shortage.observed(), decimals))
            .put("bound", Amount.format(shortage.bound(), decimals)).build();
  }

  private static Json authorization(Spend.Authorization authorization) {
    var view = Json.object().put("id", Id.AUTHORIZATION.text(authorization.id()))
        .put("leafHash", HexFormat.of().formatHex(authorization.leafHash()));
    if (authorization.index() != null) {
      view.put("index", authorization.index());
    }
    return view.build();
  }

  /** What would have been answered, had it been asked for. */
  public Json rehearsed(DecidedSpend spend, Caller caller) {
    return request(Json.object().put("status", spend.asSpend().status()), spend.request())
        .put("decision", decision(spend.asSpend().authorization().decision(), caller)).build();
  }

  private static Json.Builder request(Json.Builder view, Spend.Request request) {
    var asset = request.asset().asset();
    return view.put("walletId", Id.WALLET.text(request.walletId())).put("agentId", Id.AGENT.text(request.agentId()))
        .put("chain", asset.chain()).put("asset", asset.symbol())
        .put("amount", Amount.format(request.amount(), asset.decimals())).put("baseUnits", request.amount())
        .put("to", request.payee().toString()).put("purpose", request.text().purpose())
        .put("reference", request.text().reference()).put("category", request.category()).put("host", request.host())
        .put("metadata", request.text().metadata())
        .put("expiresAt", request.expiresAt() == null ? null : request.expiresAt().toString());
  }

  private static Json decision(Json.Obj decision, Caller caller) {
    return switch (caller.role()) {
      case AGENT -> only(DECISION_FOR_AGENT, decision);
      case APPROVER -> only(DECISION_FOR_APPROVER, decision);
      case OPERATOR, ADMIN, AUDITOR -> decision;
    };
  }

  private static Json only(Set<String> members, Json.Obj decision) {
    var shown = Json.object();
    decision.forEach((name, value) -> {
      if (members.contains(name)) {
        shown.put(name, name.equals("reasons") ? withoutRules((Json.Arr) value) : value);
      }
    });
    return shown.build();
  }

  private static Json withoutRules(Json.Arr reasons) {
    List<Json> shown = new ArrayList<>();
    for (var reason : reasons.items()) {
      var members = Json.object();
      ((Json.Obj) reason).forEach((name, value) -> {
        if (REASON_WITHOUT_RULE.contains(name)) {
          members.put(name, value);
        }
      });
      shown.add(members.build());
    }
    return new Json.Arr(shown);
  }

  /** Who must approve and who has; nothing for a spend that nobody was asked about. */
  private static Json.@org.jspecify.annotations.Nullable Obj approvals(Spend spend) {
    if (!(spend.authorization().decision().get("approval") instanceof Json.Obj asked)) {
      return null;
    }
    var given = new ArrayList<Json>();
    for (var approval : spend.approvals()) {
      given
          .add(Json.object().put("approver", Id.APPROVER.text(approval.approverId())).put("verdict", approval.verdict())
              .put("key", approval.thumbprint()).put("comment", approval.comment()).put("at", approval.at().toString())
              .build());
    }
    var payment = spend.payment();
    var waitsUntil = payment != null && payment.state().equals("awaiting_approval") ? payment.expiresAt() : null;
    return Json.object().put("required", asked.get("groups")).put("given", new Json.Arr(given))
        .put("expiresAt", waitsUntil == null ? null : waitsUntil.toString())
        .put("executesAt", payment == null || payment.notBefore() == null ? null : payment.notBefore().toString())
        .build();
  }

  private Json.@org.jspecify.annotations.Nullable Obj transaction(String chain, Spend.Payment payment) {
    var hash = payment.transactionHash();
    if (payment.nonce() == null && hash == null) {
      return null;
    }
    boolean settled = payment.blockNumber() != null;
    var view = Json.object().put("hash", hash == null ? null : "0x" + HexFormat.of().formatHex(hash));
    if (payment.nonce() != null) {
      view.put("nonce", payment.nonce()); // a relayed one is the relayer's, and shared
    }
    if (payment.blockNumber() != null) {
      view.put("block", payment.blockNumber());
    }
    return view.put("confirmations", settled ? confirmations.getOrDefault(chain, 0) : 0)
        .put("attempts", payment.attempts()).build();
  }
}
