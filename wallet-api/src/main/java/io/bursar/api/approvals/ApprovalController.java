package io.bursar.api.approvals;

import java.util.Objects;
import java.util.Optional;

import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.api.spends.SpendView;
import io.bursar.approval.ApprovalText;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.permit.Bytes;
import io.bursar.spend.Id;
import io.bursar.store.Approvals;
import io.bursar.store.Approvals.Question;
import io.bursar.store.Approvals.Result;
import io.bursar.store.SpendStore;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/approvals}: what waits for an approver, the text to sign, and the approver's word on it. */
@RestController
public final class ApprovalController {
  private static final int COMMENT_MAX = 512;
  private static final int SIGNATURE_MAX = 4_096;

  private final Approvals approvals;
  private final SpendStore spends;
  private final SpendView view;
  private final Runnable afterCommit;

  ApprovalController(Approvals approvals, SpendStore spends, SpendView view, Runnable afterCommit) {
    this.approvals = approvals;
    this.spends = spends;
    this.view = view;
    this.afterCommit = afterCommit;
  }

  @GetMapping("/v1/approvals")
  ResponseEntity<byte[]> waiting(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    var all = SpendStore.Filter.ALL;
    var waiting = new SpendStore.Filter(all.agentId(), all.walletId(), all.status(), all.payee(), all.asset(),
        all.from(), all.to(),
        Optional.ofNullable(caller.approverId()));
    return Bodies.ok(Query.list(spends.list(caller.tenantId(), waiting, page), spend -> view.of(spend, caller)));
  }

  /** The texts to sign for either verdict, and what shows that the purpose in them is the one that the agent gave. */
  @GetMapping("/v1/spends/{id}/approval-text")
  ResponseEntity<byte[]> text(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      @RequestHeader(name = "Accept", required = false) @Nullable String accept) {
    var spendId = Id.SPEND.parse(id).orElseThrow(() -> Problem.notFound("spend"));
    return switch (approvals.question(caller.tenantId(), spendId)) {
      case Question.Asked asked -> accept != null && accept.startsWith("text/plain")
          ? ResponseEntity.ok().contentType(MediaType.TEXT_PLAIN).body(asked.text().bytes())
          : Bodies.ok(view(asked));
      case Question.UnknownSpend() -> throw Problem.notFound("spend");
      case Question.NotAwaiting(var status) -> throw notAwaiting(status);
    };
  }

  private static Json view(Question.Asked asked) {
    var text = asked.spend().request().text();
    var salt = asked.salt();
    return Json.object().put("approve", signable(asked.text()))
        .put("reject", signable(asked.text().with(Verdict.REJECT)))
        .put("amount", asked.text().money().shown()).put("purpose", text.purpose()).put("reference", text.reference())
        .put("metadata", text.metadata()).put("salt", salt == null ? null : salt.toString())
        .put("expiresAt", asked.text().expiresAt().toString()).build();
  }

  private static Json signable(ApprovalText text) {
    return Json.object().put("text", text.toString()).put("sha256", text.hash().toString()).build();
  }

  private record Word(@Nullable Verdict verdict, @Nullable Bytes signature, @Nullable ApprovalText text,
      @Nullable String comment) {}

  @PostMapping("/v1/spends/{id}/approvals")
  ResponseEntity<byte[]> speak(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var spendId = Id.SPEND.parse(id).orElseThrow(() -> Problem.notFound("spend"));
    var word = Bodies.parse(Bodies.read(request), ApprovalController::read);
    var result = approvals.speak(new Approvals.Word(caller.tenantId(), spendId,
        Objects.requireNonNull(caller.approverId()), Objects.requireNonNull(word.verdict()), word.signature(),
        word.text(), word.comment()), caller.actor());
    if (result instanceof Result.Taken) {
      afterCommit.run();
      return Bodies.created(view.of(spends.find(caller.tenantId(), spendId).orElseThrow(), caller));
    }
    throw refusal(result);
  }

  private static Problem refusal(Result result) {
    return switch (result) {
      case Result.Taken() -> throw new IllegalArgumentException("a word that was taken is not refused");
      case Result.UnknownSpend() -> Problem.notFound("spend");
      case Result.NotAwaiting(var status) -> notAwaiting(status);
      case Result.NotAsked() ->
        Problem.of(ProblemCode.APPROVER_NOT_ASKED, "the approver is in none of the groups that are asked");
      case Result.Initiator() -> Problem.of(ProblemCode.INITIATOR_MAY_NOT_APPROVE,
          "the approver is a principal of the agent that asks; somebody else must decide");
      case Result.AlreadySpoken() ->
        Problem.of(ProblemCode.ALREADY_SPOKEN, "a verdict counts once and cannot be changed");
      case Result.Expired() ->
        Problem.of(ProblemCode.APPROVAL_EXPIRED, "the spend has expired; the agent must ask again");
      case Result.NoKey() -> Problem.of(ProblemCode.APPROVER_HAS_NO_KEY,
          "have an administrator register a public key by `PUT /v1/approvers/{id}/key`");
      case Result.Unsigned() -> Problem.of(ProblemCode.SIGNATURE_REQUIRED,
          "sign the text of `GET /v1/spends/{id}/approval-text` and send the `signature`");
      case Result.InvalidSignature(var why) -> Problem.of(ProblemCode.SIGNATURE_INVALID, "the signature " + why);
      case Result.OtherSpend() -> Problem.of(ProblemCode.SIGNATURE_OF_ANOTHER_SPEND,
          "the signature was made for another spend; every spend is signed by itself");
      case Result.Altered(var lines) -> Problem.of(ProblemCode.APPROVAL_TEXT_ALTERED,
          "what was signed differs from this spend in " + lines.stream().map(line -> "`" + line + "`")
              .collect(java.util.stream.Collectors.joining(", ")));
      case Result.DismissedByPolicy() -> Problem.of(ProblemCode.DISMISSED_BY_POLICY,
          "the spend was decided again under the policies now in force; look at it and sign its text as it is now");
      case Result.DismissedByGroup() -> Problem.of(ProblemCode.DISMISSED_BY_GROUP,
          "the members of a group or their keys have changed; sign the spend's text as it is now");
      case Result.DismissedByDecision() -> Problem.of(ProblemCode.DISMISSED_BY_DECISION,
          "when enough had approved, the spend needed others or more; sign its text as it is now");
    };
  }

  private static Problem notAwaiting(String status) {
    return Problem.of(ProblemCode.NOT_AWAITING_APPROVAL, "the spend is `" + status + "`");
  }

  private static Word read(JsonReader reader) {
    var verdict = reader.requiredParsed("verdict", 16, Verdict::parse);
    var given = reader.text("signature", SIGNATURE_MAX);
    var text = reader.value("text") instanceof Json.Str(var signed) ? parse(reader, signed) : null;
    if (reader.has("text") && !(reader.value("text") instanceof Json.Str)) {
      reader.fault("text", "must be a text");
    }
    return new Word(verdict, given == null ? null : signature(given), text, reader.text("comment", COMMENT_MAX));
  }

  /** What is no base64 is no signature either: the empty one, which nobody's is. */
  private static Bytes signature(String given) {
    try {
      return ApproverKey.signature(given);
    } catch (IllegalArgumentException notBase64) {
      return Bytes.of(new byte[0]);
    }
  }

  private static @Nullable ApprovalText parse(JsonReader reader, String signed) {
    try {
      return ApprovalText.parse(signed);
    } catch (IllegalArgumentException malformed) {
      reader.fault("text", "is not an approval text: " + malformed.getMessage());
      return null;
    }
  }
}
