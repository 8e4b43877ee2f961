package io.bursar.api.directory;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/approvers} and {@code /v1/approver-groups}: the people who may approve. */
@RestController
public final class ApproverController {
  private static final int MEMBERS_MAX = 100;

  /** The members of a public key (RFC 7517) by curve, and the bytes of each coordinate. */
  private static final Map<String, List<String>> COORDINATES = Map.of("Ed25519", List.of("x"), "P-256",
      List.of("x", "y"));

  private final Directory directory;

  ApproverController(Directory directory) {
    this.directory = directory;
  }

  private record Wanted(@Nullable String name, @Nullable String publicKey) {}

  @PostMapping("/v1/approvers")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request),
        reader -> new Wanted(reader.requiredText("name", Names.LENGTH_MAX), publicKey(reader)));
    return Bodies.created(view(
        directory.createApprover(caller.tenantId(), Objects.requireNonNull(wanted.name()), wanted.publicKey(),
            caller.actor())));
  }

  /** A public JSON Web Key, Ed25519 or P-256, as canonical JSON. */
  private static @Nullable String publicKey(JsonReader reader) {
    var key = reader.object("publicKey");
    if (key == null) {
      return null;
    }
    var type = key.requiredText("kty", 8);
    var curve = key.requiredText("crv", 16);
    if (curve != null && !COORDINATES.containsKey(curve)) {
      key.fault("crv", "must be `Ed25519` or `P-256`");
      return null;
    }
    if (type != null && curve != null && !type.equals(curve.equals("Ed25519") ? "OKP" : "EC")) {
      key.fault("kty", "must be `OKP` for Ed25519 and `EC` for P-256");
    }
    if (curve != null) {
      COORDINATES.getOrDefault(curve, List.of())
          .forEach(name -> key.requiredParsed(name, 64, ApproverController::coordinate));
    }
    if (key.has("d")) {
      key.fault("d", "is a private key: it must never leave its owner");
    }
    key.text("kid", 128);
    key.text("use", 8);
    key.text("alg", 16);
    key.refuseUnknown();
    return new String(JsonText.canonical(Objects.requireNonNull(reader.value("publicKey"))), StandardCharsets.UTF_8);
  }

  private static byte[] coordinate(String text) {
    var bytes = Base64.getUrlDecoder().decode(text);
    if (bytes.length != 32) {
      throw new IllegalArgumentException("must be 32 bytes in base64url");
    }
    return bytes;
  }

  @GetMapping("/v1/approvers")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(directory.approvers(caller.tenantId(), page), ApproverController::view));
  }

  private record WantedGroup(@Nullable String name, @Nullable List<UUID> members) {}

  @PostMapping("/v1/approver-groups")
  ResponseEntity<byte[]> createGroup(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), ApproverController::readGroup);
    var members = Objects.requireNonNull(wanted.members());
    if (!members.stream().allMatch(member -> directory.approverExists(caller.tenantId(), member))) {
      throw Problem.notFound("approver");
    }
    var name = Objects.requireNonNull(wanted.name());
    return Bodies.created(view(directory.createGroup(caller.tenantId(), name, members, caller.actor())
        .orElseThrow(() -> Problem.of(ProblemCode.NAME_TAKEN, "there is a group named `" + name + "` already"))));
  }

  private static WantedGroup readGroup(JsonReader reader) {
    var name = reader.requiredParsed("name", 64, text -> {
      if (!text.matches("[a-z0-9][a-z0-9_-]{0,63}")) {
        throw new IllegalArgumentException("must be lower-case letters, digits, `_` and `-`");
      }
      return text;
    });
    var members = reader.present("members")
        ? reader.texts("members", MEMBERS_MAX, 64, text -> Id.APPROVER.parse(text)
            .orElseThrow(() -> new IllegalArgumentException("is not the identifier of an approver")))
        : null;
    if (members != null && new HashSet<>(members).size() != members.size()) {
      reader.fault("members", "must be different people");
    }
    return new WantedGroup(name, members);
  }

  @GetMapping("/v1/approver-groups")
  ResponseEntity<byte[]> listGroups(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(directory.groups(caller.tenantId(), page), ApproverController::view));
  }

  private static Json view(Directory.Approver approver) {
    return Json.object().put("id", Id.APPROVER.text(approver.id())).put("name", approver.name())
        .put("publicKey", approver.publicKey() == null ? null : parsed(approver.publicKey()))
        .put("createdAt", approver.createdAt().toString()).build();
  }

  private static Json parsed(String stored) {
    try {
      return JsonText.parse(stored.getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      throw new IllegalStateException("a stored public key is not what was written", e);
    }
  }

  private static Json view(Directory.ApproverGroup group) {
    return Json.object().put("id", Id.APPROVER_GROUP.text(group.id())).put("name", group.name())
        .put("members", Json.strings(group.members().stream().map(Id.APPROVER::text).toList()))
        .put("createdAt", group.createdAt().toString()).build();
  }
}
