package io.bursar.api.audit;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Clock;
import java.util.HexFormat;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;

import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.policy.Replay;
import io.bursar.rehearsal.DecisionText;
import io.bursar.spend.Id;
import io.bursar.store.AuthorizationQuery;
import io.bursar.store.AuthorizationQuery.Authorization;
import io.bursar.store.AuthorizationQuery.Filter;
import io.bursar.store.Page;
import io.bursar.store.PolicyStore;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** {@code /v1/authorizations}: the record of every decision. */
@RestController
public final class AuthorizationController {
  /** Twice so many decisions are in memory at once, and between them no connection to the database is held, however slow the client. */
  private static final int EXPORT_PAGE = 2_000;

  private final AuthorizationQuery authorizations;
  private final PolicyStore policies;
  private final Clock clock;

  AuthorizationController(AuthorizationQuery authorizations, PolicyStore policies, Clock clock) {
    this.authorizations = authorizations;
    this.policies = policies;
    this.clock = clock;
  }

  @GetMapping("/v1/authorizations")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var filter = AuthorizationFilters.read(query, "newest");
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(authorizations.list(caller.tenantId(), filter, page), AuthorizationController::view));
  }

  /**
   * Everything that matches, streamed. It ends with what was decided when it began. If it cannot be finished, the connection is
   * broken off, so that half an export is never taken for a whole one.
   */
  @GetMapping("/v1/authorizations/export")
  void export(@AuthenticationPrincipal Caller caller, HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    var query = new Query(request);
    var filter = AuthorizationFilters.read(query, "oldest").endingBy(clock.instant());
    var format = query.get("format", ExportFormat::named).orElse(ExportFormat.JSONL);
    query.refuseFaults();
    var page = authorizations.page(caller.tenantId(), filter, Optional.empty(), EXPORT_PAGE);
    var next = page.nextAfter().map(after -> readAhead(caller.tenantId(), filter, after));
    response.setContentType(format.mediaType());
    response.setHeader("Content-Disposition", "attachment; filename=\"authorizations." + format.suffix() + "\"");
    var out = response.getOutputStream();
    out.write(format.header());
    var lines = new ByteArrayOutputStream(page.items().size() * 1024);
    while (true) {
      for (var authorization : page.items()) {
        format.write(authorization, lines);
      }
      lines.writeTo(out);
      lines.reset();
      if (next.isEmpty()) {
        return;
      }
      page = next.get().join();
      next = page.nextAfter().map(after -> readAhead(caller.tenantId(), filter, after));
    }
  }

  /** Reads the page after this one while it is written, and lets go of its connection when it has it. */
  private CompletableFuture<Page<Authorization>> readAhead(UUID tenantId, Filter filter, UUID after) {
    return CompletableFuture.supplyAsync(() -> authorizations.page(tenantId, filter, Optional.of(after), EXPORT_PAGE),
        Thread::startVirtualThread);
  }

  @GetMapping("/v1/authorizations/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var query = new Query(request);
    boolean asText = query.get("as", Bodies::textOrJson).orElse(false);
    query.refuseFaults();
    var found = Id.AUTHORIZATION.parse(id).flatMap(known -> authorizations.find(caller.tenantId(), known))
        .orElseThrow(() -> Problem.notFound("authorization"));
    return asText
        ? Bodies.text(DecisionText.of(found.entry(), (policyId, version) -> Id.POLICY.parse(policyId)
            .flatMap(policy -> policies.find(caller.tenantId(), policy, version))
            .map(policy -> Replay.policy(version, policy.document(), policies.environment(caller.tenantId())))))
        : Bodies.ok(view(found));
  }

  static Json view(Authorization authorization) {
    return Json.object().put("id", Id.AUTHORIZATION.text(authorization.id()))
        .put("spendId", Id.SPEND.text(authorization.spendId()))
        .put("seq", authorization.seq()).put("at", authorization.at().toString()).put("effect", authorization.effect())
        .put("status", authorization.status()).put("leafHash", HexFormat.of().formatHex(authorization.leafHash()))
        .put("entry", authorization.entry()).build();
  }
}
