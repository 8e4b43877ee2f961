package io.bursar.api.changes;

import java.util.List;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.approvals.Passkeys;
import io.bursar.api.approvals.Proofs;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.approval.Proof;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.spend.Id;
import io.bursar.store.Approvers;
import io.bursar.store.Change;
import io.bursar.store.ChangeControl;
import io.bursar.store.ChangeControl.Result;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/change-control} and {@code /v1/change-requests}: which changes need a quorum, and those that wait for one. */
@RestController
public final class ChangeController {
  private static final Logger LOG = LoggerFactory.getLogger(ChangeController.class);
  private static final int THRESHOLD_MAX = 100;
  private static final int COMMENT_MAX = 512;

  private final ChangeControl changes;
  private final ChangeGate gate;
  private final Passkeys passkeys;
  private final Approvers approvers;
  private final Counter alarms;

  ChangeController(ChangeControl changes, ChangeGate gate, Passkeys passkeys, Approvers approvers,
      MeterRegistry registry) {
    this.changes = changes;
    this.gate = gate;
    this.passkeys = passkeys;
    this.approvers = approvers;
    this.alarms = Counter.builder("bursar.change.alarms")
        .description("Changes that were asked to be made without their quorum").register(registry);
  }

  @GetMapping("/v1/change-control")
  ResponseEntity<byte[]> controls(@AuthenticationPrincipal Caller caller) {
    return Bodies.ok(Json.object().put("data",
        new Json.Arr(changes.controls(caller.tenantId()).stream().map(ChangeController::view).toList())).build());
  }

  private static Json view(ChangeControl.Control control) {
    return Json.object().put("scope", control.scope().text())
        .put("groupId", Id.APPROVER_GROUP.text(control.groupId())).put("threshold", control.threshold()).build();
  }

  private record Wanted(@Nullable UUID groupId, @Nullable Long threshold) {}

  /** Puts a scope under control at once; what is under control already changes by its quorum alone. */
  @PutMapping("/v1/change-control/{scope}")
  ResponseEntity<byte[]> control(@AuthenticationPrincipal Caller caller, @PathVariable("scope") String text,
      HttpServletRequest request) {
    var scope = scope(text);
    var wanted = Bodies.parse(Bodies.read(request), ChangeController::read);
    var groupId = Objects.requireNonNull(wanted.groupId());
    int threshold = (int) (long) Objects.requireNonNull(wanted.threshold());
    var members = approvers.group(caller.tenantId(), groupId).map(group -> group.members().size());
    if (members.isPresent() && members.get() < threshold) {
      throw Problem.of(ProblemCode.INVALID_REQUEST, List.of(
          new JsonReader.Fault("/threshold",
              "is more than the group can reach, which has " + members.get() + " members")));
    }
    return changes.set(caller.tenantId(), new Change.Control(scope, groupId, threshold), ChangeGate.requester(caller))
        .map(asked -> gate.accepted(caller, asked))
        .orElseGet(() -> Bodies.ok(view(new ChangeControl.Control(scope, groupId, threshold))));
  }

  private static Wanted read(JsonReader reader) {
    return new Wanted(
        reader.requiredParsed("groupId", 64,
            text -> Id.APPROVER_GROUP.parse(text)
                .orElseThrow(() -> new IllegalArgumentException("is not the identifier of a group"))),
        reader.present("threshold") ? reader.number("threshold", 1, THRESHOLD_MAX) : null);
  }

  @DeleteMapping("/v1/change-control/{scope}")
  ResponseEntity<byte[]> release(@AuthenticationPrincipal Caller caller, @PathVariable("scope") String text) {
    var change = new Change.Control(scope(text), null, 1);
    if (changes.controls(caller.tenantId()).stream().noneMatch(control -> control.scope() == change.scope())) {
      throw Problem.notFound("change control");
    }
    return changes.set(caller.tenantId(), change, ChangeGate.requester(caller))
        .map(asked -> gate.accepted(caller, asked)).orElseGet(Bodies::noContent);
  }

  private static Change.Scope scope(String text) {
    try {
      return Change.Scope.parse(text.replace('-', '_'));
    } catch (IllegalArgumentException unknown) {
      throw Problem.notFound(
          "scope of change control; there are `policies`, `attachments`, `groups` and `approver-keys`");
    }
  }

  @GetMapping("/v1/change-requests")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(changes.list(caller.tenantId(), page), each -> gate.view(caller, each)));
  }

  @GetMapping("/v1/change-requests/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return Bodies.ok(gate.view(caller,
        changes.find(caller.tenantId(), id(id)).orElseThrow(() -> Problem.notFound("change request"))));
  }

  private static UUID id(String text) {
    return Id.CHANGE.parse(text).orElseThrow(() -> Problem.notFound("change request"));
  }

  private record Word(@Nullable Verdict verdict, @Nullable Proof proof, @Nullable String comment) {}

  @PostMapping("/v1/change-requests/{id}/approvals")
  ResponseEntity<byte[]> speak(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var changeId = id(id);
    var word = Bodies.parse(Bodies.read(request),
        reader -> new Word(reader.requiredParsed("verdict", 16, Verdict::parse), Proofs.read(reader, passkeys),
            reader.text("comment", COMMENT_MAX)));
    var result = changes.speak(new ChangeControl.Word(caller.tenantId(), changeId,
        Objects.requireNonNull(caller.approverId()), Objects.requireNonNull(word.verdict()), word.proof(),
        word.comment()), caller.actor());
    if (result instanceof Result.Taken(var taken)) {
      return Bodies.created(gate.view(caller, taken));
    }
    throw refusal(result);
  }

  private static Problem refusal(Result result) {
    return switch (result) {
      case Result.Taken(var _) -> throw new IllegalArgumentException("a word that was taken is not refused");
      case Result.Unknown() -> Problem.notFound("change request");
      case Result.NotPending(var status) ->
        Problem.of(ProblemCode.CHANGE_NOT_PENDING, "the change request is `" + status + "`");
      case Result.NotAsked() ->
        Problem.of(ProblemCode.APPROVER_NOT_ASKED, "the approver is not in the group that holds the control");
      case Result.Initiator() -> Problem.of(ProblemCode.INITIATOR_MAY_NOT_APPROVE,
          "the approver holds the key that asks for the change; somebody else must decide");
      case Result.AlreadySpoken() ->
        Problem.of(ProblemCode.ALREADY_SPOKEN, "a verdict counts once and cannot be changed");
      case Result.NoKey() -> Problem.of(ProblemCode.APPROVER_HAS_NO_KEY,
          "have an administrator register a public key by `PUT /v1/approvers/{id}/key`");
      case Result.Unsigned() -> Problem.of(ProblemCode.SIGNATURE_REQUIRED,
          "sign the text that the change request shows and send the `signature`");
      case Result.InvalidSignature() -> Problem.of(ProblemCode.SIGNATURE_INVALID,
          "the signature is not the one of the approver's key over the text of this change as it is now");
      case Result.CounterBehind() -> Problem.of(ProblemCode.PASSKEY_COUNTER_BEHIND,
          "the passkey's counter has not gone on since it was last used: there may be a copy of it; register another key");
    };
  }

  /** Has a change made without its quorum, a day from now, unless a member of its group rejects it until then. */
  @PostMapping("/v1/change-requests/{id}/break-glass")
  ResponseEntity<byte[]> breakGlass(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var request = changes.breakGlass(caller.tenantId(), id(id), caller.actor())
        .orElseThrow(() -> Problem.notFound("change request"));
    if (!request.status().equals("pending")) {
      throw Problem.of(ProblemCode.CHANGE_NOT_PENDING, "the change request is `" + request.status() + "`");
    }
    alarms.increment();
    LOG.error("ALARM break-glass: change {} of {} will be made at {} without its quorum, asked by {}", id,
        Id.TENANT.text(caller.tenantId()), request.breakGlassAt(), caller.actor());
    return Bodies.ok(gate.view(caller, request));
  }
}
