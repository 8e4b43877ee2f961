package io.bursar.store;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.spend.Id;
import io.bursar.store.RelayedPayment.Token;

/** How spends are settled: by the asset, unless the wallet says otherwise. A spend keeps the mode that held when it was decided. */
public final class SettlementModes {
  /** A way to the chain. */
  public enum Mode {
    /** By a transaction of the wallet itself, which pays its gas. */
    DIRECT,
    /** By an authorization that a relayer of the operator takes to the chain; where the token takes none, direct all the same. */
    RELAYED;

    /** As the database and the API have it. */
    public String text() {
      return name().toLowerCase(Locale.ROOT);
    }

    static Mode of(String text) {
      return valueOf(text.toUpperCase(Locale.ROOT));
    }
  }

  /**
   * An asset's setting.
   *
   * @param token what its authorizations are told by; null if it takes none
   */
  public record OfAsset(Mode mode, @Nullable Token token) {
    /** How a wallet's spends of the asset are settled. */
    Mode with(OfWallet wallet) {
      return token == null ? Mode.DIRECT : wallet.mode().orElse(mode);
    }
  }

  private final Database database;
  private final AuditEntries audit;

  public SettlementModes(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  public Optional<OfAsset> ofAsset(UUID tenantId, UUID assetId) {
    return database.sql().sql("""
        SELECT settlement, eip712_name, eip712_version FROM asset WHERE tenant_id = :tenant AND asset_id = :asset
        """).param("tenant", tenantId).param("asset", assetId).query((row, n) -> ofAsset(row)).optional();
  }

  private static OfAsset ofAsset(ResultSet row) throws SQLException {
    @Nullable
    String name = row.getString("eip712_name");
    return new OfAsset(Mode.of(row.getString("settlement")),
        name == null ? null : new Token(name, row.getString("eip712_version")));
  }

  /** The settings of these assets, for a lane, which keeps them until its directory epoch changes. */
  static Map<UUID, OfAsset> read(Connection connection, UUID tenantId, Collection<UUID> assetIds) throws SQLException {
    var assets = new HashMap<UUID, OfAsset>();
    try (var statement = connection.prepareStatement("""
        SELECT asset_id, settlement, eip712_name, eip712_version FROM asset WHERE tenant_id = ? AND asset_id = ANY (?)
        """)) {
      statement.setObject(1, tenantId);
      statement.setArray(2, connection.createArrayOf("uuid", assetIds.toArray()));
      try (var row = statement.executeQuery()) {
        while (row.next()) {
          assets.put(row.getObject(1, UUID.class), ofAsset(row));
        }
      }
    }
    return assets;
  }

  /** Notes what a token's authorizations are told by, as its contract says, and settles its spends by them from the next decision on. */
  public void relay(UUID tenantId, UUID assetId, Token token, String actor) {
    setAsset(tenantId, assetId, token, Mode.RELAYED, actor);
  }

  /**
   * Settles an asset's spends in this way from the next decision on.
   *
   * @return whether it can be: not relayed where the token takes no authorizations
   */
  public boolean setAsset(UUID tenantId, UUID assetId, Mode mode, String actor) {
    var known = ofAsset(tenantId, assetId);
    if (known.isEmpty() || (mode == Mode.RELAYED && known.get().token() == null)) {
      return false;
    }
    setAsset(tenantId, assetId, known.get().token(), mode, actor);
    return true;
  }

  private void setAsset(UUID tenantId, UUID assetId, @Nullable Token token, Mode mode, String actor) {
    database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, false, true);
      database.sql().sql("""
          UPDATE asset SET settlement = :mode, eip712_name = :name, eip712_version = :version
          WHERE tenant_id = :tenant AND asset_id = :asset
          """).param("mode", mode.text()).param("name", token == null ? null : token.name())
          .param("version", token == null ? null : token.version()).param("tenant", tenantId).param("asset", assetId)
          .update();
      audit.write(slot, "asset.settlement", assetId, actor,
          Json.object().put("asset", Id.ASSET.text(assetId)).put("mode", mode.text()).build());
    });
  }

  /**
   * A wallet's own setting.
   *
   * @param mode empty if its assets decide
   */
  public record OfWallet(Optional<Mode> mode) {
    static OfWallet of(@Nullable String text) {
      return new OfWallet(Optional.ofNullable(text).map(Mode::of));
    }
  }

  public Optional<OfWallet> ofWallet(UUID tenantId, UUID walletId) {
    return database.sql()
        .sql("SELECT settlement FROM wallet WHERE tenant_id = :tenant AND wallet_id = :wallet")
        .param("tenant", tenantId).param("wallet", walletId)
        .query((row, n) -> OfWallet.of(row.getString("settlement"))).optional();
  }

  /** Settles a wallet's spends in this way from the next decision on, or as its assets say. */
  public void setWallet(UUID tenantId, UUID walletId, Optional<Mode> mode, String actor) {
    database.inTransaction(() -> {
      var slot = audit.nextChanging(tenantId, false, true);
      database.sql().sql("UPDATE wallet SET settlement = :mode WHERE tenant_id = :tenant AND wallet_id = :wallet")
          .param("mode", mode.map(Mode::text).orElse(null), java.sql.Types.VARCHAR).param("tenant", tenantId)
          .param("wallet", walletId).update();
      audit.write(slot, "wallet.settlement", walletId, actor, Json.object().put("wallet", Id.WALLET.text(walletId))
          .put("mode", mode.map(Mode::text).orElse(null)).build());
    });
  }
}
