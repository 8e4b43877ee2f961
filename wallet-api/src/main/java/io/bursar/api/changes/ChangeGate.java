package io.bursar.api.changes;

import java.util.ArrayList;
import java.util.Optional;

import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;

import io.bursar.api.http.Caller;
import io.bursar.approval.ChangeText;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.spend.Id;
import io.bursar.store.Change;
import io.bursar.store.ChangeControl;

/** Stands before every call that may be under change control, and shows requests for changes. */
public final class ChangeGate {
  private final ChangeControl changes;

  public ChangeGate(ChangeControl changes) {
    this.changes = changes;
  }

  /** The answer to a call that is under change control: 202 and the request that it has become; empty if it may be done. */
  public Optional<ResponseEntity<byte[]>> ask(Caller caller, Change change) {
    return changes.ask(caller.tenantId(), change, requester(caller)).map(request -> accepted(caller, request));
  }

  static ChangeControl.Requester requester(Caller caller) {
    return new ChangeControl.Requester(caller.actor(), caller.approverId());
  }

  ResponseEntity<byte[]> accepted(Caller caller, ChangeControl.Request request) {
    return ResponseEntity.accepted().contentType(MediaType.APPLICATION_JSON)
        .body(JsonText.inOrder(view(caller, request)));
  }

  Json view(Caller caller, ChangeControl.Request request) {
    var text = changes.text(caller.tenantId(), request);
    var given = new ArrayList<Json>();
    for (var verdict : changes.given(caller.tenantId(), request)) {
      given.add(Json.object().put("approver", Id.APPROVER.text(verdict.approverId()))
          .put("verdict", verdict.verdict().text()).put("key", verdict.thumbprint()).put("comment", verdict.comment())
          .put("at", verdict.at().toString()).build());
    }
    boolean pending = request.status().equals("pending");
    return Json.object().put("id", Id.CHANGE.text(request.id())).put("kind", request.kind())
        .put("status", request.status()).put("diff", Json.strings(changes.diff(caller.tenantId(), request)))
        .put("content", new String(JsonText.canonical(request.content()), java.nio.charset.StandardCharsets.UTF_8))
        .put("sha256", text.content().toString()).put("group", text.group().group())
        .put("threshold", request.threshold()).put("given", new Json.Arr(given))
        .put("approve", pending ? signable(text) : null)
        .put("reject", pending ? signable(text.with(Verdict.REJECT)) : null)
        .put("requestedBy", request.requestedBy())
        .put("executesAt", request.breakGlassAt() == null ? null : request.breakGlassAt().toString())
        .put("createdAt", request.createdAt().toString()).put("expiresAt", request.expiresAt().toString())
        .put("updatedAt", request.updatedAt().toString()).build();
  }

  private static Json signable(ChangeText text) {
    return Json.object().put("text", text.toString()).put("sha256", text.hash().toString()).build();
  }
}
