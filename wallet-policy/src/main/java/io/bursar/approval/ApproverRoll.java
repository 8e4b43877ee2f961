package io.bursar.approval;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.permit.Bytes;
import io.bursar.spend.Id;

/**
 * Who approves in a tenant, in which groups, with which keys: what the signer is told under a quorum and believes from then on.
 *
 * <p>Canonical JSON (RFC 8785):
 *
 * <pre>
 * {"approvers": [{"approver": "apr_…", "key": {JSON Web Key}, "passkey": "credential id, only for a passkey"}],
 *  "groups": [{"group": "finance", "members": ["apr_…"]}], "passkeyDomain": "bursar.example.com", "tenant": "ten_…"}
 * </pre>
 *
 * @param passkeyDomain that passkeys are made for; without one none is believed
 * @param approvers by identifier
 * @param groups the members of each, by name; all of them stand among the approvers
 */
public record ApproverRoll(UUID tenantId, Optional<String> passkeyDomain, Map<UUID, Person> approvers,
    Map<String, Set<UUID>> groups) {
  /** The longest roll, in bytes. */
  public static final int BYTES_MAX = 60_000;

  private static final int MOST = 1_000;
  private static final Pattern GROUP = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}");
  private static final Pattern DOMAIN = Pattern.compile("[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?");

  /**
   * One who approves.
   *
   * @param credentialId of the passkey whose key it is; empty for a key that signs the text itself
   */
  public record Person(ApproverKey key, Optional<Bytes> credentialId) {}

  public ApproverRoll {
    approvers = Map.copyOf(approvers);
    groups = Map.copyOf(groups);
  }

  /** The names of the groups that an approver is in. */
  public List<String> groupsOf(UUID approverId) {
    return groups.entrySet().stream().filter(group -> group.getValue().contains(approverId)).map(Map.Entry::getKey)
        .toList();
  }

  /** The bytes that are signed for. */
  public byte[] encode() {
    var people = new ArrayList<Json>();
    approvers.entrySet().stream().sorted(Map.Entry.comparingByKey(Comparator.comparing(Id.APPROVER::text)))
        .forEach(person -> people.add(Json.object().put("approver", Id.APPROVER.text(person.getKey()))
            .put("key", person.getValue().key.toJson())
            .put("passkey", person.getValue().credentialId.map(ApproverKey::base64url).orElse(null)).build()));
    var named = new ArrayList<Json>();
    groups.entrySet().stream().sorted(Map.Entry.comparingByKey())
        .forEach(group -> named.add(Json.object().put("group", group.getKey())
            .put("members", Json.strings(group.getValue().stream().map(Id.APPROVER::text).sorted().toList())).build()));
    return JsonText.canonical(Json.object().put("tenant", Id.TENANT.text(tenantId))
        .put("passkeyDomain", passkeyDomain.orElse(null)).put("approvers", new Json.Arr(people))
        .put("groups", new Json.Arr(named)).build());
  }

  /**
   * Reads a roll.
   *
   * @throws IllegalArgumentException with all that is wrong with it
   */
  public static ApproverRoll parse(byte[] bytes) {
    var faults = new ArrayList<JsonReader.Fault>();
    try {
      var roll = read(JsonReader.of(JsonText.parse(bytes), "", faults), faults);
      if (faults.isEmpty() && roll != null) {
        return roll;
      }
    } catch (JsonText.Malformed malformed) {
      throw new IllegalArgumentException("a roll of approvers is strict JSON", malformed);
    }
    throw new IllegalArgumentException("the roll of approvers is not one: " + faults.stream()
        .map(fault -> "`" + fault.pointer() + "` " + fault.message()).limit(10).toList());
  }

  private static @Nullable ApproverRoll read(JsonReader roll, List<JsonReader.Fault> faults) {
    var tenant = roll.requiredParsed("tenant", 64, text -> id(Id.TENANT, text));
    var domain = roll.parsed("passkeyDomain", 253, text -> matching(DOMAIN, text));
    var people = new HashMap<UUID, Person>();
    var given = roll.array("approvers", MOST);
    for (int i = 0; given != null && i < given.size(); i++) {
      var person = JsonReader.of(given.get(i), roll.at("approvers") + "/" + i, faults);
      var id = person.requiredParsed("approver", 64, text -> id(Id.APPROVER, text));
      var jwk = person.object("key");
      var key = jwk == null ? null : ApproverKey.read(jwk);
      var passkey = person.parsed("passkey", 1_400, ApproverKey::signature);
      person.refuseUnknown();
      if (key == null) {
        person.fault("key", "is required");
      } else if (id != null && people.put(id, new Person(key, Optional.ofNullable(passkey))) != null) {
        person.fault("approver", "stands there twice");
      }
    }
    if (people.values().stream().map(person -> person.key.jwk()).distinct().count() < people.size()) {
      roll.fault("approvers", "have one key for two people");
    }
    var groups = groups(roll, people.keySet(), faults);
    roll.refuseUnknown();
    return tenant == null ? null : new ApproverRoll(tenant, Optional.ofNullable(domain), people, groups);
  }

  private static Map<String, Set<UUID>> groups(JsonReader roll, Set<UUID> people, List<JsonReader.Fault> faults) {
    var groups = new HashMap<String, Set<UUID>>();
    var given = roll.array("groups", MOST);
    for (int i = 0; given != null && i < given.size(); i++) {
      var group = JsonReader.of(given.get(i), roll.at("groups") + "/" + i, faults);
      var name = group.requiredParsed("group", 64, text -> matching(GROUP, text));
      var members = group.texts("members", MOST, 64, text -> id(Id.APPROVER, text));
      group.refuseUnknown();
      if (name == null || members == null) {
        continue;
      }
      if (!people.containsAll(members)) {
        group.fault("members", "must all stand among `approvers`, with their keys");
      }
      if (groups.put(name, Set.copyOf(new HashSet<>(members))) != null) {
        group.fault("group", "stands there twice");
      }
    }
    return groups;
  }

  private static UUID id(Id kind, String text) {
    return kind.parse(text).orElseThrow(() -> new IllegalArgumentException("is no identifier of its kind"));
  }

  private static String matching(Pattern pattern, String text) {
    if (!pattern.matcher(text).matches()) {
      throw new IllegalArgumentException("must match " + pattern);
    }
    return text;
  }
}
