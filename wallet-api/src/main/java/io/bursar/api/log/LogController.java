package io.bursar.api.log;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.CacheControl;
import org.springframework.http.MediaType;
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
import io.bursar.log.BesidePath;
import io.bursar.log.SignedNote;
import io.bursar.log.TilePath;
import io.bursar.spend.Id;
import io.bursar.store.AuthorizationQuery;
import io.bursar.store.PolicyStore;
import io.bursar.store.ValueSets;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogState;
import io.bursar.store.log.LogUnavailable;

/** {@code /log}, as C2SP tlog-tiles has it; {@code /v1/log}, what the tenant's people see and do; and receipts. */
@RestController
public final class LogController {
  private static final Duration RECEIPT_PATIENCE = Duration.ofSeconds(5);
  private static final Duration CHECKPOINT_AGE = Duration.ofSeconds(1);
  private static final Duration TILE_AGE = Duration.ofDays(365);
  private static final MediaType TEXT = new MediaType("text", "plain", StandardCharsets.UTF_8);

  private final Log log;
  private final AuthorizationQuery authorizations;
  private final PolicyStore policies;
  private final ValueSets sets;

  LogController(Log log, AuthorizationQuery authorizations, PolicyStore policies, ValueSets sets) {
    this.log = log;
    this.authorizations = authorizations;
    this.policies = policies;
    this.sets = sets;
  }

  @GetMapping("/log/{tenant}/checkpoint")
  ResponseEntity<byte[]> checkpoint(@AuthenticationPrincipal @Nullable Caller caller,
      @PathVariable("tenant") String tenant) {
    var state = readable(caller, tenant).state();
    var checkpoint = state.checkpoint().orElseThrow(() -> Problem.notFound("checkpoint"));
    return ResponseEntity.ok().cacheControl(cache(CHECKPOINT_AGE, state)).contentType(TEXT)
        .body(checkpoint.encode());
  }

  @GetMapping("/log/{tenant}/tile/{level}/{*index}")
  ResponseEntity<byte[]> tile(@AuthenticationPrincipal @Nullable Caller caller, @PathVariable("tenant") String tenant,
      @PathVariable("level") String level, @PathVariable("index") String index) {
    var shown = readable(caller, tenant);
    TilePath path;
    try {
      path = TilePath.parse("tile/" + level + index);
    } catch (IllegalArgumentException noTile) {
      throw Problem.notFound("tile");
    }
    var bytes = log.tile(shown.tenantId(), shown.state(), path).orElseThrow(() -> Problem.notFound("tile"));
    return ResponseEntity.ok().cacheControl(cache(TILE_AGE, shown.state()).immutable())
        .contentType(MediaType.APPLICATION_OCTET_STREAM).body(bytes);
  }

  /** A policy whose entry has only its hash; those in entries as well. */
  @GetMapping("/log/{tenant}/policies/{file}")
  ResponseEntity<byte[]> policy(@AuthenticationPrincipal @Nullable Caller caller, @PathVariable("tenant") String tenant,
      @PathVariable("file") String file) {
    var shown = readable(caller, tenant);
    return beside(shown.state(), policies.document(shown.tenantId(), digest(BesidePath.Kind.POLICIES, file)));
  }

  /** The values of a set, of which entries have only the hash. Publishing the log does not publish them. */
  @GetMapping("/log/{tenant}/sets/{file}")
  ResponseEntity<byte[]> set(@AuthenticationPrincipal @Nullable Caller caller, @PathVariable("tenant") String tenant,
      @PathVariable("file") String file) {
    var shown = readable(caller, tenant);
    if (caller == null || !caller.tenantId().equals(shown.tenantId()) || !mayRead(caller)) {
      throw Problem.notFound("set");
    }
    return beside(shown.state(), sets.document(shown.tenantId(), digest(BesidePath.Kind.SETS, file)));
  }

  private static String digest(BesidePath.Kind kind, String file) {
    try {
      return BesidePath.parse(kind, file).digest();
    } catch (IllegalArgumentException noFile) {
      throw Problem.notFound("file");
    }
  }

  private static ResponseEntity<byte[]> beside(LogState state, Optional<byte[]> document) {
    return ResponseEntity.ok().cacheControl(cache(TILE_AGE, state).immutable()).contentType(MediaType.APPLICATION_JSON)
        .body(document.orElseThrow(() -> Problem.notFound("file")));
  }

  /** Caches that many share may keep only what anybody may read. */
  private static CacheControl cache(Duration age, LogState state) {
    var cache = CacheControl.maxAge(age);
    return state.published() ? cache.cachePublic() : cache.cachePrivate();
  }

  private record Shown(UUID tenantId, LogState state) {}

  /** The tenant that the text names, if the caller may read its log: an auditor or administrator of it, or anybody if it is published. */
  private Shown readable(@Nullable Caller caller, String tenant) {
    var named = Id.TENANT.parse(tenant).map(tenantId -> new Shown(tenantId, log.state(tenantId)));
    if (named.isPresent() && named.get().state().published()) {
      return named.get();
    }
    if (caller == null) {
      throw Problem.of(ProblemCode.UNAUTHENTICATED,
          "this log is not published; send `Authorization: Bearer <key>` with a key of an auditor of it");
    }
    if (!mayRead(caller)) {
      throw Problem.of(ProblemCode.FORBIDDEN, "the role of this key does not include this call");
    }
    return named.filter(log -> log.tenantId().equals(caller.tenantId())).orElseThrow(() -> Problem.notFound("log"));
  }

  private static boolean mayRead(Caller caller) {
    return switch (caller.role()) {
      case OPERATOR, ADMIN, AUDITOR -> true;
      case AGENT, APPROVER -> false;
    };
  }

  /** The receipt of a decision; makes one if the entry is not under a signed head yet. */
  @GetMapping("/v1/authorizations/{id}/proof")
  ResponseEntity<byte[]> proof(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var authorization = Id.AUTHORIZATION.parse(id).flatMap(it -> authorizations.find(caller.tenantId(), it))
        .orElseThrow(() -> Problem.notFound("authorization"));
    try {
      var receipt = log.receipt(caller.tenantId(), authorization.seq(), RECEIPT_PATIENCE);
      return ResponseEntity.ok().contentType(TEXT)
          .header("Content-Disposition", "attachment; filename=\"" + id + ".tlog-proof\"").body(receipt.encode());
    } catch (LogUnavailable e) {
      throw unavailable(e);
    }
  }

  @GetMapping("/v1/log")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller) {
    return Bodies.ok(view(caller));
  }

  /** Lets anybody read the tenant's log. */
  @PostMapping("/v1/log/publish")
  ResponseEntity<byte[]> publish(@AuthenticationPrincipal Caller caller) {
    log.publish(caller.tenantId(), true, caller.actor());
    return Bodies.ok(view(caller));
  }

  @PostMapping("/v1/log/unpublish")
  ResponseEntity<byte[]> unpublish(@AuthenticationPrincipal Caller caller) {
    log.publish(caller.tenantId(), false, caller.actor());
    return Bodies.ok(view(caller));
  }

  /** Lets a log go on that was stopped. */
  @PostMapping("/v1/log/resume")
  ResponseEntity<byte[]> resume(@AuthenticationPrincipal Caller caller) {
    try {
      log.resume(caller.tenantId(), caller.actor());
      return Bodies.ok(view(caller));
    } catch (LogUnavailable e) {
      throw unavailable(e);
    }
  }

  private Json view(Caller caller) {
    var state = log.state(caller.tenantId());
    try {
      var key = log.key(caller.tenantId());
      return Json.object().put("origin", key.name()).put("verifierKey", key.text()).put("size", state.size())
          .put("checkpointSize", state.checkpointSize())
          .put("checkpoint", state.checkpoint().map(SignedNote::encode).map(LogController::text).orElse(null))
          .put("published", state.published()).put("stopped", state.stopped().orElse(null)).build();
    } catch (LogUnavailable e) {
      throw unavailable(e);
    }
  }

  private static String text(byte[] utf8) {
    return new String(utf8, StandardCharsets.UTF_8);
  }

  private static Problem unavailable(LogUnavailable e) {
    return e.isStopped()
        ? Problem.retryAfter(ProblemCode.LOG_STOPPED, String.valueOf(e.getMessage()), 60)
        : Problem.retryAfter(ProblemCode.LOG_UNAVAILABLE, String.valueOf(e.getMessage()), 1);
  }
}
