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

import io.bursar.api.Settings;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.spend.Id;
import io.bursar.store.Approvers;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/approvers} and {@code /v1/approver-groups}: the people who may approve, and the keys that they sign with. */
@RestController
public final class ApproverController {
  private static final int MEMBERS_MAX = 100;

  private final Approvers approvers;
  private final boolean keysRequired;

  ApproverController(Approvers approvers, Settings settings) {
    this.approvers = approvers;
    this.keysRequired = settings.approverKeysRequired();
  }

  private record Wanted(@Nullable String name, @Nullable ApproverKey key) {}

  @PostMapping("/v1/approvers")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), reader -> {
      if (keysRequired) {
        reader.present("publicKey");
      }
      return new Wanted(reader.requiredText("name", Names.LENGTH_MAX), key(reader));
    });
    return Bodies.created(view(approvers
        .create(caller.tenantId(), Objects.requireNonNull(wanted.name()), wanted.key(), caller.actor())
        .orElseThrow(ApproverController::keyTaken)));
  }

  @PutMapping("/v1/approvers/{id}/key")
  ResponseEntity<byte[]> setKey(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var approverId = Id.APPROVER.parse(id).orElseThrow(() -> Problem.notFound("approver"));
    var key = Bodies.parse(Bodies.read(request), reader -> reader.present("publicKey") ? key(reader) : null);
    return Bodies.ok(view(approvers.setKey(caller.tenantId(), approverId, key, caller.actor())
        .orElseThrow(ApproverController::keyTaken)));
  }

  private static @Nullable ApproverKey key(JsonReader reader) {
    var key = reader.object("publicKey");
    return key == null ? null : ApproverKey.read(key);
  }

  private static Problem keyTaken() {
    return Problem.of(ProblemCode.KEY_TAKEN, "the key is another approver's, or was given up before; make a new one");
  }

  @GetMapping("/v1/approvers")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(approvers.list(caller.tenantId(), page), ApproverController::view));
  }

  private record WantedGroup(@Nullable String name, @Nullable List<UUID> members) {}

  @PostMapping("/v1/approver-groups")
  ResponseEntity<byte[]> createGroup(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), ApproverController::readGroup);
    var name = Objects.requireNonNull(wanted.name());
    return Bodies
        .created(view(approvers.createGroup(caller.tenantId(), name, known(caller, wanted.members()), caller.actor())
            .orElseThrow(() -> Problem.of(ProblemCode.NAME_TAKEN, "there is a group named `" + name + "` already"))));
  }

  @PutMapping("/v1/approver-groups/{id}")
  ResponseEntity<byte[]> changeGroup(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var groupId = Id.APPROVER_GROUP.parse(id).orElseThrow(() -> Problem.notFound("group"));
    var members = Bodies.parse(Bodies.read(request), reader -> ApproverIds.required(reader, "members", MEMBERS_MAX));
    return Bodies
        .ok(view(approvers.changeMembers(caller.tenantId(), groupId, known(caller, members), caller.actor())
            .orElseThrow(() -> Problem.notFound("group"))));
  }

  private List<UUID> known(Caller caller, @Nullable List<UUID> members) {
    var wanted = Objects.requireNonNull(members);
    if (!approvers.exist(caller.tenantId(), wanted)) {
      throw Problem.notFound("approver");
    }
    return wanted;
  }

  private static WantedGroup readGroup(JsonReader reader) {
    var name = reader.requiredParsed("name", 64, text -> {
      if (!text.matches("[a-z0-9][a-z0-9_-]{0,63}")) {
        throw new IllegalArgumentException("must be lower-case letters, digits, `_` and `-`");
      }
      return text;
    });
    return new WantedGroup(name, ApproverIds.required(reader, "members", MEMBERS_MAX));
  }

  @GetMapping("/v1/approver-groups")
  ResponseEntity<byte[]> listGroups(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(approvers.groups(caller.tenantId(), page), ApproverController::view));
  }

  private static Json view(Approvers.Approver approver) {
    var key = approver.key();
    return Json.object().put("id", Id.APPROVER.text(approver.id())).put("name", approver.name())
        .put("publicKey", key == null ? null : ApproverKey.parse(key.jwk()).toJson())
        .put("key", key == null ? null : key.thumbprint()).put("createdAt", approver.createdAt().toString()).build();
  }

  private static Json view(Approvers.Group group) {
    return Json.object().put("id", Id.APPROVER_GROUP.text(group.id())).put("name", group.name())
        .put("members", Json.strings(group.members().stream().map(Id.APPROVER::text).toList()))
        .put("revision", group.revision()).put("createdAt", group.createdAt().toString()).build();
  }
}
