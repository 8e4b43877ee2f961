package io.bursar.api.policies;

import java.util.SortedSet;
import java.util.TreeSet;

import org.jspecify.annotations.Nullable;
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
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.policy.ValueSet;
import io.bursar.spend.Id;
import io.bursar.store.ValueSets;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/value-sets}: named lists of addresses, hosts or texts, in versions that policies refer to. */
@RestController
public final class ValueSetController {
  private static final int BODY_BYTES_MAX = 8 * 1024 * 1024;

  /** So many wrong values are named; a list that is of another kind would otherwise be answered with as many faults. */
  private static final int FAULTS_MAX = 100;

  private final ValueSets sets;

  ValueSetController(ValueSets sets) {
    this.sets = sets;
  }

  private record Wanted(@Nullable String name, ValueSet.@Nullable Kind kind, @Nullable SortedSet<String> values) {}

  @PostMapping("/v1/value-sets")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request, BODY_BYTES_MAX), reader -> {
      var name = reader.requiredParsed("name", 64, ValueSetController::name);
      var kind = reader.requiredParsed("kind", 16, ValueSetController::kind);
      return new Wanted(name, kind, values(reader, kind));
    });
    var name = java.util.Objects.requireNonNull(wanted.name());
    return Bodies.created(view(sets.create(caller.tenantId(), name, java.util.Objects.requireNonNull(wanted.kind()),
        java.util.Objects.requireNonNull(wanted.values()), caller.actor())
        .orElseThrow(() -> Problem.of(ProblemCode.NAME_TAKEN, "there is a set named `" + name + "` already"))));
  }

  @PostMapping("/v1/value-sets/{name}/versions")
  ResponseEntity<byte[]> addVersion(@AuthenticationPrincipal Caller caller, @PathVariable("name") String name,
      HttpServletRequest request) {
    var body = Bodies.read(request, BODY_BYTES_MAX);
    var newest = sets.versions(caller.tenantId(), name).stream().findFirst();
    if (newest.isEmpty()) {
      throw Problem.notFound("set");
    }
    var values = Bodies.parse(body, reader -> values(reader, newest.get().kind()));
    return Bodies.created(view(sets.addVersion(caller.tenantId(), name, values, caller.actor())));
  }

  /** The values in canonical form; null where a fault was noted. One that is given twice is there once. */
  private static @Nullable SortedSet<String> values(JsonReader reader, ValueSet.@Nullable Kind kind) {
    if (!reader.present("values")) {
      return null;
    }
    var values = reader.texts("values", ValueSet.VALUES_MAX, ValueSet.VALUE_LENGTH_MAX,
        text -> kind == null || reader.faults().size() >= FAULTS_MAX ? text : ValueSet.canonical(kind, text));
    return values == null ? null : new TreeSet<>(values);
  }

  private static String name(String text) {
    if (!ValueSet.NAME.matcher(text).matches()) {
      throw new IllegalArgumentException("must be lower-case letters, digits, `_` and `-`");
    }
    return text;
  }

  private static ValueSet.Kind kind(String text) {
    return switch (text) {
      case "addresses" -> ValueSet.Kind.ADDRESSES;
      case "hosts" -> ValueSet.Kind.HOSTS;
      case "strings" -> ValueSet.Kind.STRINGS;
      default -> throw new IllegalArgumentException("must be `addresses`, `hosts` or `strings`");
    };
  }

  /** Every set in its newest version. */
  @GetMapping("/v1/value-sets")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(sets.list(caller.tenantId(), page), ValueSetController::view));
  }

  /** A set with all its versions, the newest first. */
  @GetMapping("/v1/value-sets/{name}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("name") String name) {
    var versions = sets.versions(caller.tenantId(), name);
    if (versions.isEmpty()) {
      throw Problem.notFound("set");
    }
    var newest = versions.getFirst();
    return Bodies.ok(Json.object().put("id", Id.VALUE_SET.text(newest.setId())).put("name", newest.name())
        .put("kind", ValueSets.text(newest.kind()))
        .put("versions", new Json.Arr(versions.stream().<Json>map(ValueSetController::view).toList())).build());
  }

  @GetMapping("/v1/value-sets/{name}/versions/{version}/values")
  ResponseEntity<byte[]> values(@AuthenticationPrincipal Caller caller, @PathVariable("name") String name,
      @PathVariable("version") String version, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    if (!version.matches("[1-9][0-9]{0,8}")) {
      throw Problem.notFound("version of the set");
    }
    return Bodies.ok(Query.list(sets.values(caller.tenantId(), name, Integer.parseInt(version), page)
        .orElseThrow(() -> Problem.notFound("version of the set")), Json.Str::new));
  }

  private static Json view(ValueSets.Version version) {
    return Json.object().put("id", Id.VALUE_SET.text(version.setId())).put("name", version.name())
        .put("kind", ValueSets.text(version.kind())).put("version", version.version())
        .put("reference", version.reference()).put("digest", version.digest()).put("size", version.size())
        .put("createdAt", version.createdAt().toString()).build();
  }
}
