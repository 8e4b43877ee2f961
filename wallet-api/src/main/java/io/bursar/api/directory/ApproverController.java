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
import io.bursar.api.approvals.Passkeys;
import io.bursar.api.changes.ChangeGate;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.permit.Bytes;
import io.bursar.spend.Id;
import io.bursar.store.Approvers;
import io.bursar.store.Approvers.NewKey;
import io.bursar.store.Change;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/approvers} and {@code /v1/approver-groups}: the people who may approve, and the keys that they sign with. */
@RestController
public final class ApproverController {
  private static final int MEMBERS_MAX = 100;

  private final Approvers approvers;
  private final Passkeys passkeys;
  private final ChangeGate gate;
  private final boolean keysRequired;

  ApproverController(Approvers approvers, Passkeys passkeys, ChangeGate gate, Settings settings) {
    this.approvers = approvers;
    this.gate = gate;
    this.passkeys = passkeys;
    this.keysRequired = settings.approverKeysRequired();
  }

  private record Wanted(@Nullable String name, @Nullable NewKey key) {}

  @PostMapping("/v1/approvers")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), reader -> {
      if (keysRequired && !reader.has("passkey")) {
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
    var key = Bodies.parse(Bodies.read(request),
        reader -> reader.has("passkey") || reader.present("publicKey") ? key(reader) : null);
    return gate.ask(caller, new Change.Key(approverId, key))
        .orElseGet(() -> Bodies.ok(view(approvers.setKey(caller.tenantId(), approverId, key, caller.actor())
            .orElseThrow(ApproverController::keyTaken))));
  }

  /** A key that signs the text itself, or a passkey's; null where there is neither, or a fault was noted. */
  private @Nullable NewKey key(JsonReader reader) {
    var jwk = reader.object("publicKey");
    var passkey = reader.object("passkey");
    if (jwk != null && passkey != null) {
      reader.fault("passkey", "is given instead of `publicKey`, not beside it: an approver has one key");
    }
    if (passkey != null) {
      return passkey(passkey);
    }
    var key = jwk == null ? null : ApproverKey.read(jwk);
    return key == null ? null : NewKey.of(key);
  }

  private @Nullable NewKey passkey(JsonReader reader) {
    var credentialId = reader.requiredParsed("credentialId", Passkeys.CREDENTIAL_ID_MAX * 4 / 3 + 1,
        ApproverController::bytes);
    var jwk = reader.object("publicKey");
    var cose = reader.parsed("coseKey", 1_024, text -> passkeys.readCose(bytes(text).toByteArray()));
    if (reader.has("publicKey") == reader.has("coseKey")) {
      reader.fault("publicKey", "is required, or else `coseKey`, and not both");
    }
    var key = jwk == null ? cose : ApproverKey.read(jwk);
    if (key != null && key.curve() != ApproverKey.Curve.P256) {
      reader.fault("publicKey", "must be on P-256");
    }
    reader.refuseUnknown();
    if (credentialId == null || key == null) {
      return null;
    }
    if (!passkeys.areBelieved()) {
      throw Problem.of(ProblemCode.PASSKEYS_NOT_SET_UP, "set `BURSAR_PASSKEY_DOMAIN` for the instance");
    }
    return new NewKey(key, credentialId);
  }

  private static Bytes bytes(String base64url) {
    var bytes = ApproverKey.signature(base64url);
    if (bytes.size() == 0) {
      throw new IllegalArgumentException("must not be empty");
    }
    return bytes;
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
    var members = known(caller,
        Bodies.parse(Bodies.read(request), reader -> ApproverIds.required(reader, "members", MEMBERS_MAX)));
    return gate.ask(caller, new Change.Members(groupId, members))
        .orElseGet(() -> Bodies.ok(view(approvers.changeMembers(caller.tenantId(), groupId, members, caller.actor())
            .orElseThrow(() -> Problem.notFound("group")))));
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
        .put("key", key == null ? null : key.thumbprint())
        .put("passkey", key == null || key.passkey() == null
            ? null
            : Json.object().put("credentialId", ApproverKey.base64url(key.passkey().credentialId())).build())
        .put("createdAt", approver.createdAt().toString()).build();
  }

  private static Json view(Approvers.Group group) {
    return Json.object().put("id", Id.APPROVER_GROUP.text(group.id())).put("name", group.name())
        .put("members", Json.strings(group.members().stream().map(Id.APPROVER::text).toList()))
        .put("revision", group.revision()).put("createdAt", group.createdAt().toString()).build();
  }
}
