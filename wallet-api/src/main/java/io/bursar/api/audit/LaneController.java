package io.bursar.api.audit;

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
import io.bursar.json.Json;
import io.bursar.spend.Id;
import io.bursar.store.LaneStop;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/tenants/{id}/lane}: the operator stops a tenant's spending, lets it go on, and has its books counted. */
@RestController
public final class LaneController {
  private final LaneStop stop;
  private final NightlyRecount recount;

  LaneController(LaneStop stop, NightlyRecount recount) {
    this.stop = stop;
    this.recount = recount;
  }

  /** Whether the lane is stopped, and why. */
  @GetMapping("/v1/tenants/{id}/lane")
  ResponseEntity<byte[]> get(@PathVariable("id") String id) {
    return state(tenant(id));
  }

  private ResponseEntity<byte[]> state(UUID tenantId) {
    var stopped = stop.find(tenantId);
    return Bodies.ok(Json.object().put("tenantId", Id.TENANT.text(tenantId)).put("stopped", stopped.isPresent())
        .put("stoppedAt", stopped.map(why -> why.at().toString()).orElse(null))
        .put("reason", stopped.map(LaneStop.Stop::reason).orElse(null)).build());
  }

  @PostMapping("/v1/tenants/{id}/lane/stop")
  ResponseEntity<byte[]> stop(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var tenantId = tenant(id);
    var _ = stop.stop(tenantId, reason(request), caller.actor());
    return state(tenantId);
  }

  @PostMapping("/v1/tenants/{id}/lane/resume")
  ResponseEntity<byte[]> resume(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var tenantId = tenant(id);
    if (!stop.lift(tenantId, reason(request), caller.actor())) {
      throw Problem.of(ProblemCode.CONFLICT, "the lane is not stopped");
    }
    return state(tenantId);
  }

  /** Counts the books now, as every night; a difference stops the lane. */
  @PostMapping("/v1/tenants/{id}/lane/recount")
  ResponseEntity<byte[]> recount(@PathVariable("id") String id) {
    return Bodies.ok(Json.object().put("differences", Json.strings(recount.count(tenant(id)))).build());
  }

  private static String reason(HttpServletRequest request) {
    return Bodies.<String>parse(Bodies.read(request), reader -> reader.requiredText("reason", LaneStop.REASON_MAX));
  }

  private UUID tenant(String id) {
    return Id.TENANT.parse(id).filter(stop::exists).orElseThrow(() -> Problem.notFound("tenant"));
  }
}
