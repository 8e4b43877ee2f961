package io.bursar.api.approvals;

import java.util.Objects;
import java.util.Optional;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.api.spends.SpendView;
import io.bursar.json.JsonReader;
import io.bursar.spend.Id;
import io.bursar.store.Approvals;
import io.bursar.store.Approvals.Result;
import io.bursar.store.Approvals.Verdict;
import io.bursar.store.SpendStore;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/approvals}: what waits for an approver, and the approver's word on it. */
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

  private record Word(@Nullable Verdict verdict, @Nullable String signature, @Nullable String comment) {}

  @PostMapping("/v1/spends/{id}/approvals")
  ResponseEntity<byte[]> speak(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var spendId = Id.SPEND.parse(id).orElseThrow(() -> Problem.notFound("spend"));
    var word = Bodies.parse(Bodies.read(request), ApprovalController::read);
    var result = approvals
        .speak(new Approvals.Word(caller.tenantId(), spendId, Objects.requireNonNull(caller.approverId()),
            Objects.requireNonNull(word.verdict()), word.signature(), word.comment()), caller.actor());
    return switch (result) {
      case Result.Taken() -> {
        afterCommit.run();
        yield Bodies.created(view.of(spends.find(caller.tenantId(), spendId).orElseThrow(), caller));
      }
      case Result.UnknownSpend() -> throw Problem.notFound("spend");
      case Result.NotAwaiting(var status) ->
        throw Problem.of(ProblemCode.NOT_AWAITING_APPROVAL, "the spend is `" + status + "`");
      case Result.NotAsked() ->
        throw Problem.of(ProblemCode.FORBIDDEN, "the approver is in none of the groups that are asked");
      case Result.AlreadySpoken() ->
        throw Problem.of(ProblemCode.ALREADY_SPOKEN, "a verdict counts once and cannot be changed");
      case Result.Expired() ->
        throw Problem.of(ProblemCode.APPROVAL_EXPIRED, "the spend has expired; the agent must ask again");
      case Result.Dismissed() -> throw Problem.of(ProblemCode.APPROVAL_DISMISSED,
          "the spend was decided again under the policies now in force; look at it and speak again if it still waits");
    };
  }

  private static Word read(JsonReader reader) {
    var verdict = reader.requiredParsed("verdict", 16, text -> switch (text) {
      case "approve" -> Verdict.APPROVE;
      case "reject" -> Verdict.REJECT;
      default -> throw new IllegalArgumentException("must be `approve` or `reject`");
    });
    return new Word(verdict, reader.text("signature", SIGNATURE_MAX), reader.text("comment", COMMENT_MAX));
  }
}
