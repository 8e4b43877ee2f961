package io.bursar.store.events;

import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.RowCallbackHandler;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.Database;

/**
 * Events, read from the record in its order. Nothing is written for them where money is decided: what is recorded is the outbox. Numbers
 * of entries are given under the lane's lock, so whoever sees an entry sees all before it, and a number is all that a follower keeps.
 */
public final class EventFeed {
  /** The most entries that are read at once. */
  public static final int ENTRIES_MAX = 200;

  /** Members that every entry has, and that an event says in its own way. */
  private static final Set<String> COMMON = Set.of("schema", "kind", "at", "tenant");

  private static final String SELECT = """
      SELECT e.seq, e.at, e.kind, e.subject, e.payload, s.spend_id, s.agent_id, s.wallet_id, s.amount, s.payee,
        a.chain, a.symbol, a.decimals, w.agent_id AS wallet_agent, g.agent_id AS itself
      FROM audit_entry e
      LEFT JOIN spend s ON s.tenant_id = e.tenant_id AND s.spend_id = e.subject
      LEFT JOIN asset a ON a.tenant_id = e.tenant_id AND a.asset_id = s.asset_id
      LEFT JOIN wallet w ON w.tenant_id = e.tenant_id AND w.wallet_id = e.subject
      LEFT JOIN agent g ON g.tenant_id = e.tenant_id AND g.agent_id = e.subject
      WHERE e.tenant_id = :tenant""";

  private final Database database;

  public EventFeed(Database database) {
    this.database = database;
  }

  /** The number of the newest entry. */
  public long newest(UUID tenantId) {
    return database.sql().sql("SELECT audit_seq FROM lane WHERE tenant_id = :tenant").param("tenant", tenantId)
        .query(Long.class).single();
  }

  /** As {@link #newest(UUID)}, of several tenants. */
  public Map<UUID, Long> newest(Collection<UUID> tenants) {
    var newest = new HashMap<UUID, Long>();
    database.sql().sql("SELECT tenant_id, audit_seq FROM lane WHERE tenant_id = ANY (:tenants)")
        .param("tenants", tenants.toArray(UUID[]::new)).query((RowCallbackHandler) row -> newest
            .put(row.getObject("tenant_id", UUID.class), row.getLong("audit_seq")));
    return newest;
  }

  /**
   * The events after a number, in order.
   *
   * @param most how many, 1 to {@value #ENTRIES_MAX}; fewer only at the end
   */
  public List<Event> after(UUID tenantId, long seq, int most) {
    return database.sql().sql(SELECT + " AND e.seq > :after ORDER BY e.seq LIMIT :most").param("tenant", tenantId)
        .param("after", seq).param("most", Math.min(most, ENTRIES_MAX)).query((row, n) -> event(tenantId, row)).list();
  }

  public Optional<Event> find(UUID tenantId, long seq) {
    return database.sql().sql(SELECT + " AND e.seq = :seq").param("tenant", tenantId).param("seq", seq)
        .query((row, n) -> event(tenantId, row)).optional();
  }

  private static Event event(UUID tenantId, ResultSet row) throws SQLException {
    var kind = row.getString("kind");
    var entry = entry(row.getBytes("payload"));
    @Nullable
    UUID subject = row.getObject("subject", UUID.class);
    boolean ofSpend = row.getObject("spend_id") != null;
    var type = EventTypes.of(kind, entry);
    var data = Json.object().put("actor", entry.get("actor"));
    if (ofSpend) {
      spend(data, row);
    }
    if (kind.equals("authorization")) {
      data.put("authorizationId", entry.get("authorization")).put("reasonCodes", reasonCodes(entry));
    } else {
      entry.forEach((name, value) -> {
        if (!COMMON.contains(name) && !(ofSpend && name.equals("spend"))) {
          data.put(name, value);
        }
      });
    }
    return new Event(tenantId, row.getLong("seq"), row.getObject("at", OffsetDateTime.class).toInstant(), type,
        subject == null ? tenantId : subject, agent(row), data.build());
  }

  private static @Nullable UUID agent(ResultSet row) throws SQLException {
    for (var column : List.of("agent_id", "wallet_agent", "itself")) {
      var agent = row.getObject(column, UUID.class);
      if (agent != null) {
        return agent;
      }
    }
    return null;
  }

  private static void spend(Json.Builder data, ResultSet row) throws SQLException {
    BigInteger amount = row.getBigDecimal("amount").toBigIntegerExact();
    data.put("spendId", Id.SPEND.text(row.getObject("spend_id", UUID.class)))
        .put("agentId", Id.AGENT.text(row.getObject("agent_id", UUID.class)))
        .put("walletId", Id.WALLET.text(row.getObject("wallet_id", UUID.class)))
        .put("chain", row.getString("chain")).put("asset", row.getString("symbol"))
        .put("amount", Amount.format(amount, row.getInt("decimals")))
        .put("to", Address.of(row.getBytes("payee")).toString());
  }

  private static Json reasonCodes(Json.Obj entry) {
    var codes = new ArrayList<Json>();
    if (entry.get("decision") instanceof Json.Obj decision
        && decision.get("reasons") instanceof Json.Arr(var reasons)) {
      for (var reason : reasons) {
        if (reason instanceof Json.Obj one && one.get("code") instanceof Json.Str code && !codes.contains(code)) {
          codes.add(code);
        }
      }
    }
    return new Json.Arr(codes);
  }

  private static Json.Obj entry(byte[] payload) {
    try {
      return JsonText.parse(payload) instanceof Json.Obj entry ? entry : Json.object().build();
    } catch (JsonText.Malformed e) {
      throw new IllegalStateException("an entry of the record is not JSON", e);
    }
  }
}
