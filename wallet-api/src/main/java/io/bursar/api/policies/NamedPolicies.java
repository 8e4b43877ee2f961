package io.bursar.api.policies;

import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonReader.Fault;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyContext;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.Replay;
import io.bursar.spend.Id;
import io.bursar.store.Approvers;
import io.bursar.store.Directory;
import io.bursar.store.Page;
import io.bursar.store.PolicyStore;

/** Policies as requests name them: by a version that is stored, or by a document that is sent along. */
public final class NamedPolicies {
  /** The most bytes of a body that holds a document. */
  public static final int BODY_BYTES_MAX = 4 * 1024 * 1024;

  private final PolicyStore policies;
  private final Directory directory;
  private final Approvers approvers;

  public NamedPolicies(PolicyStore policies, Directory directory, Approvers approvers) {
    this.policies = policies;
    this.directory = directory;
    this.approvers = approvers;
  }

  /** Either a stored version or a document. */
  public record Named(@Nullable String version, Json.@Nullable Obj document) {
    /** Reads {@code version} or {@code document} of a body, one of which must be there and not both. */
    public static Named read(JsonReader reader) {
      var version = reader.text("version", 80);
      Json.Obj document = null;
      if (reader.has("document")) {
        if (reader.value("document") instanceof Json.Obj object) {
          document = object;
        } else {
          reader.fault("document", "must be an object");
        }
      }
      if (reader.has("version") == reader.has("document")) {
        reader.fault("version", "or else `document` must be there, and not both");
      }
      return new Named(version, document);
    }
  }

  /** The identifier in a path. */
  public static UUID policyId(String text) {
    return Id.POLICY.parse(text).orElseThrow(() -> Problem.notFound("policy"));
  }

  /**
   * The policy that a request names.
   *
   * @throws Problem if there is no such policy or version, or the document is none
   */
  public Policy policy(UUID tenantId, UUID policyId, Named named) {
    if (named.document() != null) {
      if (policies.versions(tenantId, policyId).isEmpty()) {
        throw Problem.notFound("policy");
      }
      return check(tenantId, named.document()).policy();
    }
    return stored(tenantId, policyId, String.valueOf(named.version()));
  }

  /** A stored version, whether or not it is published. */
  public Policy stored(UUID tenantId, UUID policyId, String version) {
    return policies.find(tenantId, policyId, version)
        .map(found -> Replay.policy(version, found.document(), policies.environment(tenantId)))
        .orElseThrow(() -> Problem.notFound("policy version"));
  }

  /**
   * A document that must be a policy.
   *
   * @throws Problem with all of its faults if it is none
   */
  PolicyJson.Parsed check(UUID tenantId, Json.Obj document) {
    return switch (PolicyJson.parse(document, context(tenantId))) {
      case PolicyJson.Parsed parsed -> parsed;
      case PolicyJson.Refused(List<Fault> faults) -> throw Problem.of(ProblemCode.POLICY_REFUSED,
          faults.stream().map(fault -> new Fault("/document" + fault.pointer(), fault.message())).toList());
    };
  }

  /** What documents may name: the tenant's assets and groups. */
  public PolicyContext context(UUID tenantId) {
    var groups = new HashMap<String, Integer>();
    var page = new Page.Request(Optional.empty(), Page.LIMIT_MAX);
    while (true) {
      var found = approvers.groups(tenantId, page);
      found.items().forEach(group -> groups.put(group.name(), group.members().size()));
      if (found.nextAfter().isEmpty()) {
        return new PolicyContext(directory.assets(tenantId).stream().map(Directory.RegisteredAsset::asset).toList(),
            groups, policies.environment(tenantId));
      }
      page = new Page.Request(found.nextAfter(), Page.LIMIT_MAX);
    }
  }
}
