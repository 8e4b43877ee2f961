package io.bursar.store;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;

import org.springframework.jdbc.core.simple.JdbcClient;

import io.bursar.json.Json;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;

/**
 * What has arrived at wallets. A deposit and its entry in the record are one transaction, and an event of a token is booked once, however
 * often and by however many processes it is read.
 */
public final class Deposits {
  /**
   * An event of a token: this much came to this account.
   *
   * @param amount base units, at least 1
   * @param logIndex the event's number in its block
   */
  public record Arrival(Address token, Address payer, Address payee, BigInteger amount, Place place, long logIndex) {}

  /** Where an event stands. */
  public record Place(long block, Digest32 blockHash, Digest32 transactionHash) {}

  /**
   * A deposit.
   *
   * @param receivedAt when it was booked
   */
  public record Deposit(UUID id, UUID walletId, String asset, int decimals, Arrival arrival, Instant receivedAt) {}

  private static final String ACTOR = "deposits";

  private final Database database;
  private final AuditEntries audit;

  public Deposits(Database database, AuditEntries audit) {
    this.database = database;
    this.audit = audit;
  }

  /** The first block of a chain that is not booked yet; {@code first} where none is. */
  public long next(String chain, long first) {
    sql("INSERT INTO deposit_cursor (chain, next_block) VALUES (:chain, :first) ON CONFLICT (chain) DO NOTHING")
        .param("chain", chain).param("first", first).update();
    return sql("SELECT next_block FROM deposit_cursor WHERE chain = :chain").param("chain", chain).query(Long.class)
        .single();
  }

  /** The tokens of a chain that somebody has registered. */
  public List<Address> tokens(String chain) {
    return sql("SELECT DISTINCT contract FROM asset WHERE chain = :chain ORDER BY contract").param("chain", chain)
        .query((row, n) -> Address.of(row.getBytes("contract"))).list();
  }

  /** The addresses of wallets on a chain, in order, after one. */
  public List<Address> addresses(String chain, Optional<Address> after, int most) {
    return sql("""
        SELECT DISTINCT address FROM wallet WHERE chain = :chain AND address > :after ORDER BY address LIMIT :most
        """).param("chain", chain).param("after", after.map(Address::bytes).orElse(new byte[0])).param("most", most)
        .query((row, n) -> Address.of(row.getBytes("address"))).list();
  }

  /**
   * Books what arrived in blocks of a chain, and then that these blocks are booked.
   *
   * @param last the last of the blocks
   */
  public void book(String chain, long last, List<Arrival> arrivals) {
    var byTenant = new TreeMap<UUID, List<Deposit>>();
    for (var arrival : arrivals) {
      sql("""
          SELECT w.tenant_id, w.wallet_id, x.symbol, x.decimals FROM wallet w
          JOIN asset x ON x.tenant_id = w.tenant_id AND x.chain = w.chain AND x.contract = :token
          WHERE w.chain = :chain AND w.address = :payee
          """).param("token", arrival.token.bytes()).param("chain", chain).param("payee", arrival.payee.bytes())
          .query((org.springframework.jdbc.core.RowCallbackHandler) row -> byTenant
              .computeIfAbsent(Directory.uuid(row, "tenant_id"), _ -> new ArrayList<>())
              .add(new Deposit(Ids.next(Instant.now()), Directory.uuid(row, "wallet_id"), row.getString("symbol"),
                  row.getInt("decimals"), arrival, Instant.EPOCH)));
    }
    byTenant.forEach(this::book);
    sql("UPDATE deposit_cursor SET next_block = :next WHERE chain = :chain AND next_block < :next")
        .param("next", last + 1).param("chain", chain).update();
  }

  private void book(UUID tenantId, List<Deposit> deposits) {
    database.inTransaction(() -> {
      var entries = audit.together(tenantId);
      deposits.stream().filter(deposit -> insert(tenantId, deposit, entries.at()))
          .forEach(deposit -> entries.add("deposit.received", deposit.walletId, ACTOR, entry(deposit)));
      entries.write();
    });
  }

  private boolean insert(UUID tenantId, Deposit deposit, Instant at) {
    var arrival = deposit.arrival;
    return sql("""
        INSERT INTO deposit (tenant_id, deposit_id, wallet_id, asset_id, amount, payer, block_number, block_hash,
          transaction_hash, log_index, received_at)
        SELECT :tenant, :id, :wallet, x.asset_id, :amount, :payer, :block, :blockHash, :hash, :index, :at
        FROM asset x JOIN wallet w ON w.tenant_id = x.tenant_id AND w.chain = x.chain
        WHERE x.tenant_id = :tenant AND w.wallet_id = :wallet AND x.contract = :token
        ON CONFLICT (tenant_id, wallet_id, block_number, log_index) DO NOTHING
        """).param("tenant", tenantId).param("id", deposit.id).param("wallet", deposit.walletId)
        .param("amount", new BigDecimal(arrival.amount)).param("payer", arrival.payer.bytes())
        .param("block", arrival.place.block).param("blockHash", arrival.place.blockHash.bytes())
        .param("hash", arrival.place.transactionHash.bytes()).param("index", arrival.logIndex)
        .param("at", Directory.utc(at)).param("token", arrival.token.bytes()).update() == 1;
  }

  private static Json.Obj entry(Deposit deposit) {
    var arrival = deposit.arrival;
    return Json.object().put("deposit", Id.DEPOSIT.text(deposit.id)).put("wallet", Id.WALLET.text(deposit.walletId))
        .put("asset", deposit.asset).put("amount", Amount.format(arrival.amount, deposit.decimals))
        .put("from", arrival.payer.toString()).put("transactionHash", "0x" + arrival.place.transactionHash)
        .put("block", arrival.place.block).put("blockHash", "0x" + arrival.place.blockHash)
        .put("logIndex", arrival.logIndex).build();
  }

  /** A wallet's deposits, those that were booked last first. */
  public Page<Deposit> list(UUID tenantId, UUID walletId, Page.Request page) {
    var rows = sql("""
        SELECT d.*, x.symbol, x.decimals, x.contract, w.address FROM deposit d
        JOIN asset x USING (tenant_id, asset_id) JOIN wallet w ON w.tenant_id = d.tenant_id AND w.wallet_id = d.wallet_id
        WHERE d.tenant_id = :tenant AND d.wallet_id = :wallet AND (:after::uuid IS NULL OR d.deposit_id < :after::uuid)
        ORDER BY d.deposit_id DESC LIMIT :limit
        """).param("tenant", tenantId).param("wallet", walletId)
        .param("after", page.after().orElse(null), java.sql.Types.OTHER).param("limit", page.limit() + 1)
        .query((row, n) -> deposit(row)).list();
    return Page.of(rows, page.limit(), Deposit::id);
  }

  private static Deposit deposit(ResultSet row) throws SQLException {
    var place = new Place(row.getLong("block_number"), Digest32.of(row.getBytes("block_hash")),
        Digest32.of(row.getBytes("transaction_hash")));
    return new Deposit(Directory.uuid(row, "deposit_id"), Directory.uuid(row, "wallet_id"), row.getString("symbol"),
        row.getInt("decimals"),
        new Arrival(Address.of(row.getBytes("contract")), Address.of(row.getBytes("payer")),
            Address.of(row.getBytes("address")), SpendStore.units(row, "amount"), place, row.getLong("log_index")),
        Directory.instant(row, "received_at"));
  }

  private JdbcClient.StatementSpec sql(String text) {
    return database.sql().sql(text);
  }
}
