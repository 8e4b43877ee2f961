package io.bursar.api.directory;

import java.util.List;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.spend.Id;
import io.bursar.store.Approvers;
import io.bursar.store.Directory;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/agents}: the programs that spend. */
@RestController
public final class AgentController {
  private static final int PRINCIPALS_MAX = 100;

  private final Directory directory;
  private final Approvers approvers;

  AgentController(Directory directory, Approvers approvers) {
    this.directory = directory;
    this.approvers = approvers;
  }

  private record Wanted(@Nullable String name, @Nullable List<UUID> principals) {}

  @PostMapping("/v1/agents")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), reader -> new Wanted(reader.requiredText("name", Names.LENGTH_MAX),
        ApproverIds.read(reader, "principals", PRINCIPALS_MAX)));
    var principals = wanted.principals() == null ? List.<UUID>of() : wanted.principals();
    refuseUnknown(caller, principals);
    return Bodies.created(view(directory.createAgent(caller.tenantId(), Objects.requireNonNull(wanted.name()),
        principals, caller.actor())));
  }

  /** Says whose agent it is: the approvers who never count for its spends. */
  @PutMapping("/v1/agents/{id}/principals")
  ResponseEntity<byte[]> setPrincipals(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var agentId = agentId(id);
    var principals = Bodies.parse(Bodies.read(request), AgentController::principals);
    refuseUnknown(caller, principals);
    return Bodies.ok(view(directory.setPrincipals(caller.tenantId(), agentId, principals, caller.actor())
        .orElseThrow(() -> Problem.notFound("agent"))));
  }

  /** An empty array says that it is nobody's. */
  private static @Nullable List<UUID> principals(JsonReader reader) {
    return reader.value("principals") instanceof Json.Arr(var items) && items.isEmpty()
        ? List.of()
        : ApproverIds.required(reader, "principals", PRINCIPALS_MAX);
  }

  private void refuseUnknown(Caller caller, List<UUID> principals) {
    if (!approvers.exist(caller.tenantId(), principals)) {
      throw Problem.notFound("approver");
    }
  }

  @GetMapping("/v1/agents")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(directory.agents(caller.tenantId(), page), AgentController::view));
  }

  @GetMapping("/v1/agents/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return Bodies
        .ok(view(directory.agent(caller.tenantId(), agentId(id)).orElseThrow(() -> Problem.notFound("agent"))));
  }

  @PostMapping("/v1/agents/{id}/suspend")
  ResponseEntity<byte[]> suspend(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return suspend(caller, id, true);
  }

  @PostMapping("/v1/agents/{id}/resume")
  ResponseEntity<byte[]> resume(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return suspend(caller, id, false);
  }

  private ResponseEntity<byte[]> suspend(Caller caller, String id, boolean suspended) {
    return Bodies.ok(view(directory.suspend(caller.tenantId(), agentId(id), suspended, caller.actor())
        .orElseThrow(() -> Problem.notFound("agent"))));
  }

  private static UUID agentId(String text) {
    return Id.AGENT.parse(text).orElseThrow(() -> Problem.notFound("agent"));
  }

  private static Json view(Directory.Agent agent) {
    return Json.object().put("id", Id.AGENT.text(agent.id())).put("name", agent.name())
        .put("status", agent.suspended() ? "suspended" : "active")
        .put("principals", Json.strings(agent.principals().stream().map(Id.APPROVER::text).toList()))
        .put("createdAt", agent.createdAt().toString()).build();
  }
}
