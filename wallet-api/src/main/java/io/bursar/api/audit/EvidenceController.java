package io.bursar.api.audit;

import java.io.IOException;
import java.time.Clock;
import java.time.Instant;

import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.store.AuditQuestions;
import io.bursar.store.PolicyStore;
import io.bursar.store.ValueSets;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogUnavailable;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** {@code /v1/audit/evidence}: what proves, far from the service, what was decided in a period. */
@RestController
public final class EvidenceController {
  private final EvidencePack pack;
  private final Clock clock;

  EvidenceController(Log log, AuditQuestions questions, PolicyStore policies, ValueSets sets, Clock clock) {
    this.pack = new EvidencePack(log, questions, policies, sets);
    this.clock = clock;
  }

  /** One archive, streamed. If it cannot be finished, the connection is broken off, so that half of it is never taken for all. */
  @GetMapping("/v1/audit/evidence")
  void evidence(@AuthenticationPrincipal Caller caller, HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    var query = new Query(request);
    var from = query.get("from", Query::time).orElse(Instant.EPOCH);
    var to = query.get("to", Query::time).orElseGet(clock::instant);
    query.refuseFaults();
    var plan = plan(caller, from, to);
    response.setContentType("application/zip");
    response.setHeader("Content-Disposition", "attachment; filename=\"evidence.zip\"");
    pack.write(plan, response.getOutputStream());
  }

  private EvidencePack.Plan plan(Caller caller, Instant from, Instant to) {
    try {
      return pack.plan(caller.tenantId(), from, to);
    } catch (LogUnavailable e) {
      throw Problem.retryAfter(e.isStopped() ? ProblemCode.LOG_STOPPED : ProblemCode.LOG_UNAVAILABLE,
          String.valueOf(e.getMessage()), e.isStopped() ? 60 : 1);
    }
  }
}
