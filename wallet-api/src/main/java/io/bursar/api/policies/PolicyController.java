package io.bursar.api.policies;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

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
import io.bursar.json.Json;
import io.bursar.json.JsonReader.Fault;
import io.bursar.policy.PolicyContext;
import io.bursar.policy.PolicyJson;
import io.bursar.spend.Id;
import io.bursar.store.Approvers;
import io.bursar.store.Directory;
import io.bursar.store.Page;
import io.bursar.store.PolicyDocuments;
import io.bursar.store.PolicyStore;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/policies}: drafts, versions, publication. */
@RestController
public final class PolicyController {
  private static final int BODY_BYTES_MAX = 4 * 1024 * 1024;

  private final PolicyStore policies;
  private final Directory directory;
  private final Approvers approvers;

  PolicyController(PolicyStore policies, Directory directory, Approvers approvers) {
    this.policies = policies;
    this.directory = directory;
    this.approvers = approvers;
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
    return Bodies.ok(switch (PolicyJson.parse(document, context(caller.tenantId()))) {
      case PolicyJson.Parsed(var policy, var warnings) ->
        Json.object().put("valid", true).put("version", policy.version())
            .put("errors", new Json.Arr(List.of())).put("warnings", warnings(warnings)).build();
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
    return switch (PolicyJson.parse(document, context(caller.tenantId()))) {
      case PolicyJson.Parsed(var policy, var warnings) -> new Checked(document, policy.name(), warnings);
      case PolicyJson.Refused(var faults) -> throw Problem.of(ProblemCode.POLICY_REFUSED,
          faults.stream().map(fault -> new Fault("/document" + fault.pointer(), fault.message())).toList());
    };
  }

  private static Json.Obj document(Json body) {
    return Bodies.parse(body, reader -> {
      if (reader.present("document") && !(reader.value("document") instanceof Json.Obj)) {
        reader.fault("document", "must be an object");
      }
      return reader.value("document") instanceof Json.Obj document ? document : null;
    });
  }

  /** What documents may name: the tenant's assets and groups. */
  private PolicyContext context(UUID tenantId) {
    var groups = new HashMap<String, Integer>();
    var page = new Page.Request(Optional.empty(), Page.LIMIT_MAX);
    while (true) {
      var found = approvers.groups(tenantId, page);
      found.items().forEach(group -> groups.put(group.name(), group.members().size()));
      if (found.nextAfter().isEmpty()) {
        return new PolicyContext(directory.assets(tenantId).stream().map(Directory.RegisteredAsset::asset).toList(),
            groups, PolicyDocuments.environment());
      }
      page = new Page.Request(found.nextAfter(), Page.LIMIT_MAX);
    }
  }

  @PostMapping("/v1/policies/{id}/publish")
  ResponseEntity<byte[]> publish(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var version = Bodies.parse(Bodies.read(request), reader -> reader.requiredText("version", 80));
    return Bodies.ok(view(policies.publish(caller.tenantId(), policyId(id), version, caller.actor())
        .orElseThrow(() -> Problem.notFound("policy version")), Optional.empty()));
  }

  @GetMapping("/v1/policies")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(policies.list(caller.tenantId(), page), policy -> view(policy, Optional.empty())));
  }

  /** A policy with all its versions, the newest first. */
  @GetMapping("/v1/policies/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var versions = policies.versions(caller.tenantId(), policyId(id));
    if (versions.isEmpty()) {
      throw Problem.notFound("policy");
    }
    var newest = versions.getFirst();
    List<Json> views = new ArrayList<>();
    versions.forEach(version -> views.add(view(version, Optional.empty())));
    return Bodies.ok(Json.object().put("id", Id.POLICY.text(newest.policyId())).put("name", newest.name())
        .put("versions", new Json.Arr(views)).build());
  }

  private static UUID policyId(String text) {
    return Id.POLICY.parse(text).orElseThrow(() -> Problem.notFound("policy"));
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
