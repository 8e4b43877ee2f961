package io.bursar.api.directory;

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
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/agents}: the programs that spend. */
@RestController
public final class AgentController {
  private final Directory directory;

  AgentController(Directory directory) {
    this.directory = directory;
  }

  @PostMapping("/v1/agents")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    return Bodies
        .created(view(directory.createAgent(caller.tenantId(), Names.required(Bodies.read(request)), caller.actor())));
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
        .put("status", agent.suspended() ? "suspended" : "active").put("createdAt", agent.createdAt().toString())
        .build();
  }
}
