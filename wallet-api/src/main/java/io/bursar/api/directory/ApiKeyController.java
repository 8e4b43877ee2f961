package io.bursar.api.directory;

import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Authentication;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.Query;
import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.Approvers;
import io.bursar.store.Directory;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/api-keys}: the keys by which programs and people call this API. */
@RestController
public final class ApiKeyController {
  private final ApiKeys keys;
  private final Directory directory;
  private final Approvers approvers;
  private final Authentication authentication;

  ApiKeyController(ApiKeys keys, Directory directory, Approvers approvers, Authentication authentication) {
    this.keys = keys;
    this.directory = directory;
    this.approvers = approvers;
    this.authentication = authentication;
  }

  @PostMapping("/v1/api-keys")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), ApiKeyController::read);
    if (wanted.agentId() != null && directory.agent(caller.tenantId(), wanted.agentId()).isEmpty()) {
      throw Problem.notFound("agent");
    }
    if (wanted.approverId() != null && approvers.find(caller.tenantId(), wanted.approverId()).isEmpty()) {
      throw Problem.notFound("approver");
    }
    var issued = keys.issue(caller.tenantId(), wanted, caller.actor());
    return Bodies.created(view(issued.key()).put("secret", issued.secret().value()).build());
  }

  private static ApiKeys.@Nullable NewKey read(JsonReader reader) {
    var role = reader.requiredParsed("role", 16, ApiKeys.Role::parse);
    var name = reader.requiredText("name", Names.LENGTH_MAX);
    var agentId = reader.parsed("agentId", 64, text -> id(Id.AGENT, text));
    var approverId = reader.parsed("approverId", 64, text -> id(Id.APPROVER, text));
    var jwk = reader.object("publicKey");
    var publicKey = jwk == null ? null : ApproverKey.read(jwk);
    if (role != null && (role == ApiKeys.Role.AGENT) != reader.has("agentId")) {
      reader.fault("agentId", "is required for the role `agent`, and for no other");
    }
    boolean person = reader.has("approverId");
    if (role != null && (person
        ? role != ApiKeys.Role.APPROVER && role != ApiKeys.Role.ADMIN
        : role == ApiKeys.Role.APPROVER)) {
      reader.fault("approverId",
          "is required for the role `approver`, may say who holds a key for `admin`, and is for no other");
    }
    return role == null || name == null ? null : new ApiKeys.NewKey(role, name, agentId, approverId, publicKey);
  }

  private static UUID id(Id kind, String text) {
    return kind.parse(text).orElseThrow(() -> new IllegalArgumentException("is not an identifier of that kind"));
  }

  @GetMapping("/v1/api-keys")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(keys.list(caller.tenantId(), page), key -> view(key).build()));
  }

  @DeleteMapping("/v1/api-keys/{id}")
  ResponseEntity<byte[]> revoke(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var keyId = Id.API_KEY.parse(id).orElseThrow(() -> Problem.notFound("API key"));
    if (!keys.revoke(caller.tenantId(), keyId, caller.actor())) {
      throw Problem.notFound("API key");
    }
    authentication.forget();
    return Bodies.noContent();
  }

  private static Json.Builder view(ApiKeys.ApiKey key) {
    return Json.object().put("id", Id.API_KEY.text(key.id())).put("role", key.role().text()).put("name", key.name())
        .put("agentId", key.agentId() == null ? null : Id.AGENT.text(key.agentId()))
        .put("approverId", key.approverId() == null ? null : Id.APPROVER.text(key.approverId()))
        .put("publicKey", key.publicKey() == null ? null : key.publicKey().toJson())
        .put("createdAt", key.createdAt().toString())
        .put("revokedAt", key.revokedAt() == null ? null : key.revokedAt().toString());
  }
}
