package io.bursar.api.policies;

import java.util.Locale;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.changes.ChangeGate;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;
import io.bursar.store.Change;
import io.bursar.store.PolicyStore;
import io.bursar.store.PolicyStore.AttachResult;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/policy-attachments/{tenant|agent|wallet}/{id}}: which policy decides over what; one for each. */
@RestController
public final class AttachmentController {
  private final PolicyStore policies;
  private final ChangeGate gate;

  AttachmentController(PolicyStore policies, ChangeGate gate) {
    this.policies = policies;
    this.gate = gate;
  }

  private record Wanted(@Nullable UUID policyId, @Nullable String version) {}

  @PutMapping("/v1/policy-attachments/{target}/{id}")
  ResponseEntity<byte[]> attach(@AuthenticationPrincipal Caller caller, @PathVariable("target") String target,
      @PathVariable("id") String id, HttpServletRequest request) {
    var at = target(target);
    var targetId = targetId(at, id);
    var wanted = Bodies.parse(Bodies.read(request),
        reader -> new Wanted(
            reader.requiredParsed("policyId", 64,
                text -> Id.POLICY.parse(text)
                    .orElseThrow(() -> new IllegalArgumentException("is not the identifier of a policy"))),
            reader.requiredText("version", 80)));
    var policyId = Objects.requireNonNull(wanted.policyId());
    var version = Objects.requireNonNull(wanted.version());
    return gate.ask(caller, new Change.Attach(at, targetId, policyId, version))
        .orElseGet(() -> switch (policies.attach(caller.tenantId(), at, targetId, policyId, version, caller.actor())) {
          case AttachResult.Attached(var attachment) -> Bodies.ok(view(attachment));
          case AttachResult.UnknownTarget() -> throw Problem.notFound(target);
          case AttachResult.UnknownVersion() -> throw Problem.notFound("policy version");
          case AttachResult.NotPublished() -> throw Problem.of(ProblemCode.POLICY_NOT_PUBLISHED,
              "publish version `" + version + "` first, by `POST /v1/policies/{id}/publish`");
        });
  }

  @DeleteMapping("/v1/policy-attachments/{target}/{id}")
  ResponseEntity<byte[]> detach(@AuthenticationPrincipal Caller caller, @PathVariable("target") String target,
      @PathVariable("id") String id) {
    var at = target(target);
    var targetId = targetId(at, id);
    return gate.ask(caller, new Change.Detach(at, targetId)).orElseGet(() -> {
      if (policies.detach(caller.tenantId(), at, targetId, caller.actor()).isEmpty()) {
        throw Problem.notFound("attachment");
      }
      return Bodies.noContent();
    });
  }

  @GetMapping("/v1/policy-attachments/{target}/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("target") String target,
      @PathVariable("id") String id) {
    var at = target(target);
    return Bodies.ok(view(policies.attachment(caller.tenantId(), at, targetId(at, id))
        .orElseThrow(() -> Problem.notFound("attachment"))));
  }

  @GetMapping("/v1/policy-attachments")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(policies.attachments(caller.tenantId(), page), AttachmentController::view));
  }

  private static Policy.Target target(String text) {
    return switch (text) {
      case "tenant" -> Policy.Target.TENANT;
      case "agent" -> Policy.Target.AGENT;
      case "wallet" -> Policy.Target.WALLET;
      default -> throw Problem.notFound("kind of target; there are `tenant`, `agent` and `wallet`");
    };
  }

  private static Id kind(Policy.Target target) {
    return switch (target) {
      case TENANT -> Id.TENANT;
      case AGENT -> Id.AGENT;
      case WALLET -> Id.WALLET;
    };
  }

  private static UUID targetId(Policy.Target target, String text) {
    return kind(target).parse(text).orElseThrow(() -> Problem.notFound(target.name().toLowerCase(Locale.ROOT)));
  }

  private static Json view(PolicyStore.Attachment attachment) {
    return Json.object().put("target", attachment.target().name().toLowerCase(Locale.ROOT))
        .put("targetId", kind(attachment.target()).text(attachment.targetId()))
        .put("policyId", Id.POLICY.text(attachment.policyId()))
        .put("version", attachment.version()).put("attachedAt", attachment.attachedAt().toString()).build();
  }
}
