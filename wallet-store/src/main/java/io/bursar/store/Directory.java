package io.bursar.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.springframework.dao.DuplicateKeyException;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.spend.Id;

/** Who is who: tenants, agents, wallets and assets. Every change is recorded with who made it. */
public final class Directory {
  public record Tenant(UUID id, String name, Instant createdAt) {}

  /**
   * A program that spends.
   *
   * @param principals the approvers whose agent it is: they never count for its spends
   */
  public record Agent(UUID id, String name, boolean suspended, List<UUID> principals, Instant createdAt) {}

  public record Wallet(UUID id, UUID agentId, String chain, Address address, String name, boolean frozen,
      Instant createdAt) {}

  public record RegisteredAsset(UUID id, Asset asset, Instant createdAt) {}

  /** The tenant that a fresh instance has. */
  public static final String DEFAULT_TENANT = "default";

  private final Database database;
  private final AuditEntries audit;

  public Directory(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /** Makes a tenant with its lane; empty if the name is taken. */
  public Optional<Tenant> createTenant(String name, String actor) {
    var now = Instant.now();
    var tenant = new Tenant(Ids.next(now), name, now);
    return unlessTaken(() -> database.inTransaction(() -> {
      database.sql().sql("INSERT INTO tenant (tenant_id, name, created_at) VALUES (:id, :name, :at)")
          .param("id", tenant.id())
          .param("name", name).param("at", utc(now)).update();
      database.sql().sql("INSERT INTO lane (tenant_id) VALUES (:id)").param("id", tenant.id()).update();
      audit.write(audit.next(tenant.id()), "tenant.created", tenant.id(), actor,
          Json.object().put("name", name).build());
      return tenant;
    }));
  }

  public Optional<Tenant> tenantNamed(String name) {
    return database.sql().sql("SELECT tenant_id, name, created_at FROM tenant WHERE name = :name").param("name", name)
        .query((row, n) -> tenant(row)).optional();
  }

  public Page<Tenant> tenants(Page.Request page) {
    return Page.of(database.sql()
        .sql("""
            SELECT tenant_id, name, created_at FROM tenant WHERE tenant_id > :after ORDER BY tenant_id LIMIT :limit
            """).param("after", after(page)).param("limit", page.limit() + 1).query((row, n) -> tenant(row)).list(),
        page.limit(),
        Tenant::id);
  }

  private static Tenant tenant(ResultSet row) throws SQLException {
    return new Tenant(uuid(row, "tenant_id"), row.getString("name"), instant(row, "created_at"));
  }

  public Agent createAgent(UUID tenantId, String name, String actor) {
    return createAgent(tenantId, name, List.of(), actor);
  }

  /** Makes an agent. Beside {@code principals}, the person who holds the API key that makes it is one. */
  public Agent createAgent(UUID tenantId, String name, List<UUID> principals, String actor) {
    return database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var id = Ids.next(slot.at());
      database.sql()
          .sql(
              """
                  INSERT INTO agent (tenant_id, agent_id, name, status, created_at) VALUES (:tenant, :id, :name, 'active', :at)
                  """)
          .param("tenant", tenantId).param("id", id).param("name", name).param("at", utc(slot.at())).update();
      Principals.add(database, tenantId, id, principals, actor);
      var agent = agent(tenantId, id).orElseThrow();
      audit.write(slot, "agent.created", id, actor, Json.object().put("agent", Id.AGENT.text(id)).put("name", name)
          .put("principals", Json.strings(agent.principals().stream().map(Id.APPROVER::text).toList())).build());
      return agent;
    });
  }

  public Optional<Agent> agent(UUID tenantId, UUID agentId) {
    return database.sql().sql(SELECT_AGENT + " AND agent_id = :id").param("tenant", tenantId).param("id", agentId)
        .query((row, n) -> agent(row)).optional();
  }

  public Page<Agent> agents(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT_AGENT + " AND agent_id > :after ORDER BY agent_id LIMIT :limit")
        .param("tenant", tenantId).param("after", after(page)).param("limit", page.limit() + 1)
        .query((row, n) -> agent(row)).list(), page.limit(), Agent::id);
  }

  private static final String SELECT_AGENT = """
      SELECT agent_id, name, status, created_at,
             ARRAY(SELECT p.approver_id FROM agent_principal p
                   WHERE p.tenant_id = agent.tenant_id AND p.agent_id = agent.agent_id ORDER BY 1) AS principals
      FROM agent WHERE tenant_id = :tenant""";

  /** Says whose agent it is, in place of what was said before. Empty if there is no such agent. */
  public Optional<Agent> setPrincipals(UUID tenantId, UUID agentId, List<UUID> principals, String actor) {
    database.inTransaction(() -> {
      var slot = audit.next(tenantId);
      var _ = agent(tenantId, agentId).orElseThrow(NothingThere::new);
      database.sql().sql("DELETE FROM agent_principal WHERE tenant_id = :tenant AND agent_id = :agent")
          .param("tenant", tenantId).param("agent", agentId).update();
      Principals.add(database, tenantId, agentId, principals, "");
      audit.write(slot, "agent.principals_changed", agentId, actor, Json.object().put("agent", Id.AGENT.text(agentId))
          .put("principals", Json.strings(principals.stream().sorted().map(Id.APPROVER::text).toList())).build());
    });
    return agent(tenantId, agentId);
  }

  /** Suspends or resumes an agent: from the next decision on. Empty if there is no such agent. */
  public Optional<Agent> suspend(UUID tenantId, UUID agentId, boolean suspended, String actor) {
    database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, false, true);
      int changed = database.sql().sql("""
          UPDATE agent SET status = :status WHERE tenant_id = :tenant AND agent_id = :id
          """).param("status", suspended ? "suspended" : "active")
          .param("tenant", tenantId).param("id", agentId).update();
      if (changed == 0) {
        throw new NothingThere();
      }
      audit.write(slot, suspended ? "agent.suspended" : "agent.resumed", agentId, actor,
          Json.object().put("agent", Id.AGENT.text(agentId)).build());
    });
    return agent(tenantId, agentId);
  }

  private static Agent agent(ResultSet row) throws SQLException {
    return new Agent(uuid(row, "agent_id"), row.getString("name"), row.getString("status").equals("suspended"),
        List.of((UUID[]) row.getArray("principals").getArray()), instant(row, "created_at"));
  }

  /** Notes a wallet whose key the signer has made under {@code walletId}. */
  public Wallet createWallet(UUID tenantId, UUID walletId, UUID agentId, String chain, Address address, String name,
      String actor) {
    return database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, false, true);
      var wallet = new Wallet(walletId, agentId, chain, address, name, false, slot.at());
      database.sql().sql("""
          INSERT INTO wallet (tenant_id, wallet_id, agent_id, chain, address, name, status, created_at)
          VALUES (:tenant, :id, :agent, :chain, :address, :name, 'active', :at)
          """).param("tenant", tenantId).param("id", walletId).param("agent", agentId)
          .param("chain", chain)
          .param("address", address.bytes()).param("name", name).param("at", utc(slot.at())).update();
      audit.write(slot, "wallet.created", walletId, actor, Json.object().put("wallet", Id.WALLET.text(walletId))
          .put("agent", Id.AGENT.text(agentId)).put("chain", chain).put("address", address.toString()).put("name", name)
          .build());
      return wallet;
    });
  }

  public Optional<Wallet> wallet(UUID tenantId, UUID walletId) {
    return database.sql().sql(SELECT_WALLET + " AND wallet_id = :id").param("tenant", tenantId).param("id", walletId)
        .query((row, n) -> wallet(row)).optional();
  }

  /** The tenant's wallets, or those of one agent. */
  public Page<Wallet> wallets(UUID tenantId, Optional<UUID> agentId, Page.Request page) {
    var query = database.sql().sql(SELECT_WALLET + (agentId.isPresent() ? " AND agent_id = :agent" : "")
        + " AND wallet_id > :after ORDER BY wallet_id LIMIT :limit").param("tenant", tenantId)
        .param("after", after(page))
        .param("limit", page.limit() + 1);
    if (agentId.isPresent()) {
      query = query.param("agent", agentId.get());
    }
    return Page.of(query.query((row, n) -> wallet(row)).list(), page.limit(), Wallet::id);
  }

  /** Freezes a wallet, or lets it spend again: from the next decision, and the next signature, on. */
  public Optional<Wallet> freeze(UUID tenantId, UUID walletId, boolean frozen, String actor) {
    database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, false, true);
      int changed = database.sql().sql("""
          UPDATE wallet SET status = :status WHERE tenant_id = :tenant AND wallet_id = :id
          """).param("status", frozen ? "frozen" : "active").param("tenant", tenantId)
          .param("id", walletId).update();
      if (changed == 0) {
        throw new NothingThere();
      }
      audit.write(slot, frozen ? "wallet.frozen" : "wallet.unfrozen", walletId, actor,
          Json.object().put("wallet", Id.WALLET.text(walletId)).build());
    });
    return wallet(tenantId, walletId);
  }

  private static final String SELECT_WALLET = """
      SELECT wallet_id, agent_id, chain, address, name, status, created_at FROM wallet WHERE tenant_id = :tenant""";

  private static Wallet wallet(ResultSet row) throws SQLException {
    return new Wallet(uuid(row, "wallet_id"), uuid(row, "agent_id"), row.getString("chain"),
        Address.of(row.getBytes("address")),
        row.getString("name"), row.getString("status").equals("frozen"), instant(row, "created_at"));
  }

  /** Registers an asset; empty if its symbol or its contract is registered on that chain already. */
  public Optional<RegisteredAsset> registerAsset(UUID tenantId, Asset asset, String actor) {
    return unlessTaken(() -> database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, false, true);
      var registered = new RegisteredAsset(Ids.next(slot.at()), asset, slot.at());
      database.sql()
          .sql("""
              INSERT INTO asset (tenant_id, asset_id, chain, contract, symbol, decimals, currency, created_at)
              VALUES (:tenant, :id, :chain, :contract, :symbol, :decimals, :currency, :at)
              """).param("tenant", tenantId).param("id", registered.id()).param("chain", asset.chain())
          .param("contract", asset.contract().bytes()).param("symbol", asset.symbol())
          .param("decimals", asset.decimals())
          .param("currency", asset.currency()).param("at", utc(slot.at())).update();
      audit.write(slot, "asset.registered", registered.id(), actor,
          Json.object().put("chain", asset.chain()).put("contract", asset.contract().toString())
              .put("symbol", asset.symbol())
              .put("decimals", asset.decimals()).put("currency", asset.currency()).build());
      return registered;
    }));
  }

  public Page<RegisteredAsset> assets(UUID tenantId, Page.Request page) {
    return Page
        .of(database.sql().sql("""
            SELECT asset_id, chain, contract, symbol, decimals, currency, created_at FROM asset
            WHERE tenant_id = :tenant AND asset_id > :after ORDER BY asset_id LIMIT :limit
            """).param("tenant", tenantId).param("after", after(page))
            .param("limit", page.limit() + 1).query((row, n) -> asset(row))
            .list(), page.limit(), RegisteredAsset::id);
  }

  /** All of them, oldest first. */
  public List<RegisteredAsset> assets(UUID tenantId) {
    return database.sql()
        .sql("""
            SELECT asset_id, chain, contract, symbol, decimals, currency, created_at FROM asset
            WHERE tenant_id = :tenant ORDER BY asset_id
            """)
        .param("tenant", tenantId).query((row, n) -> asset(row)).list();
  }

  public Optional<RegisteredAsset> asset(UUID tenantId, String chain, String symbol) {
    return database.sql().sql("""
        SELECT asset_id, chain, contract, symbol, decimals, currency, created_at FROM asset
        WHERE tenant_id = :tenant AND chain = :chain AND symbol = :symbol
        """).param("tenant", tenantId).param("chain", chain).param("symbol", symbol)
        .query((row, n) -> asset(row)).optional();
  }

  static RegisteredAsset asset(ResultSet row) throws SQLException {
    return new RegisteredAsset(uuid(row, "asset_id"),
        new Asset(row.getString("chain"), Address.of(row.getBytes("contract")),
            row.getString("symbol"), row.getInt("decimals"), row.getString("currency")),
        instant(row, "created_at"));
  }

  /** What work comes to; empty where a name that it gives is taken. */
  static <T> Optional<T> unlessTaken(java.util.function.Supplier<T> work) {
    try {
      return Optional.of(work.get());
    } catch (DuplicateKeyException taken) {
      return Optional.empty();
    }
  }

  /** A change was asked for of something that is not there; nothing was changed. */
  public static final class NothingThere extends RuntimeException {
    NothingThere() {
      super("there is nothing to change");
    }
  }

  static UUID uuid(ResultSet row, String column) throws SQLException {
    return row.getObject(column, UUID.class);
  }

  static Instant instant(ResultSet row, String column) throws SQLException {
    return row.getObject(column, OffsetDateTime.class).toInstant();
  }

  static OffsetDateTime utc(Instant at) {
    return at.atOffset(java.time.ZoneOffset.UTC);
  }

  static UUID after(Page.Request page) {
    return page.after().orElse(new UUID(0, 0));
  }
}
