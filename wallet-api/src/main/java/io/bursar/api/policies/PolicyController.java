package io.bursar.api.policies;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.changes.ChangeGate;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyJson;
import io.bursar.rehearsal.IdleRules;
import io.bursar.rehearsal.PolicyText;
import io.bursar.spend.Id;
import io.bursar.store.Change;
import io.bursar.store.PolicyStore;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/policies}: drafts, versions, publication. */
@RestController
public final class PolicyController {
  private static final int BODY_BYTES_MAX = NamedPolicies.BODY_BYTES_MAX;

  private final PolicyStore policies;
  private final NamedPolicies documents;
  private final ChangeGate gate;

  PolicyController(PolicyStore policies, NamedPolicies documents, ChangeGate gate) {
    this.policies = policies;
    this.documents = documents;
    this.gate = gate;
  }

  private record Checked(Json.Obj document, String name, List<PolicyJson.Warning> warnings) {}

  @PostMapping("/v1/policies")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var checked = check(caller, Bodies.read(request, BODY_BYTES_MAX));
    return Bodies.created(
        view(policies.create(caller.tenantId(), checked.name(), checked.document(), caller.actor()),
            Optional.of(checked.warnings())));
  }

  @PostMapping("/v1/policies/{id}/versions")
  ResponseEntity<byte[]> addVersion(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var policyId = policyId(id);
    var checked = check(caller, Bodies.read(request, BODY_BYTES_MAX));
    return Bodies.created(view(policies.addVersion(caller.tenantId(), policyId, checked.document(), caller.actor())
        .orElseThrow(() -> Problem.notFound("policy")), Optional.of(checked.warnings())));
  }

  /** Says all that is wrong with a document, and what is odd about it; keeps nothing. */
  @PostMapping("/v1/policies/validate")
  ResponseEntity<byte[]> validate(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var document = document(Bodies.read(request, BODY_BYTES_MAX));
    return Bodies.ok(switch (PolicyJson.parse(document, documents.context(caller.tenantId()))) {
      case PolicyJson.Parsed parsed ->
        Json.object().put("valid", true).put("version", parsed.policy().version())
            .put("errors", new Json.Arr(List.of())).put("warnings", warnings(warnings(caller, parsed))).build();
      case PolicyJson.Refused(var faults) -> Json.object().put("valid", false)
          .put("errors", new Json.Arr(faults.stream()
              .<Json>map(fault -> Json.object().put("pointer", "/document" + fault.pointer())
                  .put("message", fault.message()).build())
              .toList()))
          .put("warnings", new Json.Arr(List.of())).build();
    });
  }

  private Checked check(Caller caller, Json body) {
    var document = document(body);
    var parsed = documents.check(caller.tenantId(), document);
    return new Checked(document, parsed.policy().name(), warnings(caller, parsed));
  }

  /** What its author may not have meant: what the document shows by itself, and what follows from all rules together. */
  private List<PolicyJson.Warning> warnings(Caller caller, PolicyJson.Parsed parsed) {
    var warnings = new ArrayList<>(parsed.warnings());
    try {
      IdleRules.of(parsed.policy(), Policy.Target.WALLET, documents.context(caller.tenantId()).assets()).stream()
          .filter(idle -> warnings.stream()
              .noneMatch(known -> (known.pointer() + "/").startsWith("/rules/" + idle.index() + "/")))
          .forEach(idle -> warnings.add(
              new PolicyJson.Warning("/rules/" + idle.index(), "this rule never matters: " + idle.why())));
    } catch (IllegalArgumentException tooManyKinds) {
      // It is too large to be seen through while somebody waits; what the document shows by itself is still said.
    }
    return warnings;
  }

  private static Json.Obj document(Json body) {
    return Bodies.parse(body, reader -> {
      if (reader.present("document") && !(reader.value("document") instanceof Json.Obj)) {
        reader.fault("document", "must be an object");
      }
      return reader.value("document") instanceof Json.Obj document ? document : null;
    });
  }

  @PostMapping("/v1/policies/{id}/publish")
  ResponseEntity<byte[]> publish(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var version = Bodies.parse(Bodies.read(request), reader -> reader.requiredText("version", 80));
    var policyId = policyId(id);
    // What a draft names may have gone since it was written; a version that is published already stays what it is.
    policies.find(caller.tenantId(), policyId, version).filter(draft -> draft.publishedAt() == null)
        .ifPresent(draft -> documents.check(caller.tenantId(), draft.document()));
    return gate.ask(caller, new Change.Publish(policyId, version))
        .orElseGet(() -> Bodies.ok(view(policies.publish(caller.tenantId(), policyId, version, caller.actor())
            .orElseThrow(() -> Problem.notFound("policy version")), Optional.empty())));
  }

  @GetMapping("/v1/policies")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(policies.list(caller.tenantId(), page), policy -> view(policy, Optional.empty())));
  }

  /** A policy with all its versions or one of them, the newest first; as text, the newest of them in plain English. */
  @GetMapping("/v1/policies/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var query = new Query(request);
    boolean asText = query.get("as", Bodies::textOrJson).orElse(false);
    var wanted = query.get("version", PolicyController::version);
    query.refuseFaults();
    var versions = policies.versions(caller.tenantId(), policyId(id)).stream()
        .filter(version -> wanted.map(version.version()::equals).orElse(true)).toList();
    if (versions.isEmpty()) {
      throw Problem.notFound(wanted.isPresent() ? "policy version" : "policy");
    }
    var newest = versions.getFirst();
    if (asText) {
      return Bodies.text(PolicyText.of(documents.stored(caller.tenantId(), newest.policyId(), newest.version())));
    }
    List<Json> views = new ArrayList<>();
    versions.forEach(version -> views.add(view(version, Optional.empty())));
    return Bodies.ok(Json.object().put("id", Id.POLICY.text(newest.policyId())).put("name", newest.name())
        .put("versions", new Json.Arr(views)).build());
  }

  private static String version(String text) {
    if (!text.matches("sha256:[0-9a-f]{64}")) {
      throw new IllegalArgumentException("must be a version such as `sha256:…`, with 64 hexadecimal digits");
    }
    return text;
  }

  private static UUID policyId(String text) {
    return NamedPolicies.policyId(text);
  }

  private static Json view(PolicyStore.PolicyVersion version, Optional<List<PolicyJson.Warning>> warnings) {
    return Json.object().put("id", Id.POLICY.text(version.policyId())).put("name", version.name())
        .put("version", version.version())
        .put("number", version.number()).put("status", version.publishedAt() == null ? "draft" : "published")
        .put("document", version.document())
        .put("warnings", warnings.<Json>map(PolicyController::warnings).orElse(null))
        .put("createdAt", version.createdAt().toString())
        .put("publishedAt", version.publishedAt() == null ? null : version.publishedAt().toString()).build();
  }

  private static Json.Arr warnings(List<PolicyJson.Warning> warnings) {
    return new Json.Arr(warnings.stream()
        .<Json>map(warning -> Json.object().put("pointer", "/document" + warning.pointer())
            .put("message", warning.message()).build())
        .toList());
  }
}
