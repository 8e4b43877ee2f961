package io.bursar.store;

import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.spend.Id;

/**
 * When a version of a policy was in force, and over what: read from the record of what was attached. It bounds where decisions
 * under that version can be.
 *
 * @param targets what it was attached to, as entries name targets, such as {@code wal_…}
 * @param from when it was first attached
 * @param to when it was last taken away; absent while it is attached
 */
record PolicyReach(Set<String> targets, Instant from, @Nullable Instant to) {
  /** Empty if it was never attached. */
  static Optional<PolicyReach> of(Database database, UUID tenantId, String version) {
    record Change(Instant at, String target, boolean attached) {}
    var changes = database.reading().sql("""
        SELECT at, kind, payload FROM audit_entry
        WHERE tenant_id = :tenant AND kind IN ('policy.attached', 'policy.detached')
        """ + AuditQuestions.ADMINISTRATIVE + " ORDER BY seq").param("tenant", tenantId).query((row, n) -> {
      var entry = SpendStore.entry(row.getBytes("payload"));
      return new Change(Directory.instant(row, "at"), text(entry, "targetId"),
          row.getString("kind").equals("policy.attached") && text(entry, "version").equals(version));
    }).list();
    var since = new HashMap<String, Instant>();
    var targets = new HashSet<String>();
    Instant first = null;
    Instant last = null;
    for (var change : changes) {
      if (change.attached()) {
        since.putIfAbsent(change.target(), change.at());
        targets.add(change.target());
        first = first == null ? change.at() : first;
      } else if (since.remove(change.target()) != null) {
        last = change.at();
      }
    }
    // A decision of the same moment may have been made under what was taken away.
    return first == null
        ? Optional.empty()
        : Optional.of(new PolicyReach(targets, first,
            since.isEmpty() && last != null ? last.plusNanos(1000) : null));
  }

  private static String text(Json.Obj entry, String name) {
    return entry.get(name) instanceof Json.Str(var text) ? text : "";
  }

  /** The same question, asked only of the time when the version was in force. */
  AuthorizationQuery.Filter within(AuthorizationQuery.Filter filter) {
    var begin = filter.from().filter(at -> at.isAfter(from)).orElse(from);
    var end = filter.to().filter(at -> to == null || at.isBefore(to)).or(() -> Optional.ofNullable(to));
    return new AuthorizationQuery.Filter(filter.agentId(), filter.walletId(), filter.payee(), filter.asset(),
        filter.effect(), filter.status(), filter.reasonCode(), filter.policyVersion(), Optional.of(begin), end,
        filter.amountFrom(), filter.amountTo(), filter.newestFirst());
  }

  /** The wallets over which it was in force; empty where it was over the whole tenant. */
  Optional<List<UUID>> wallets(Database database, UUID tenantId) {
    var wallets = new HashSet<UUID>();
    for (var target : targets) {
      var wallet = Id.WALLET.parse(target);
      var agent = Id.AGENT.parse(target);
      if (wallet.isEmpty() && agent.isEmpty()) {
        return Optional.empty();
      }
      wallet.ifPresent(wallets::add);
      agent.ifPresent(id -> wallets.addAll(AuthorizationSearch.walletsOf(database, tenantId, id)));
    }
    return Optional.of(List.copyOf(wallets));
  }
}
