package io.bursar.store;

import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;

import javax.sql.DataSource;

import org.springframework.jdbc.core.namedparam.NamedParameterJdbcTemplate;
import org.springframework.jdbc.core.namedparam.SqlParameterSource;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.jdbc.datasource.DataSourceUtils;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.support.TransactionTemplate;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;

/**
 * The connections to PostgreSQL, and the only place where a transaction begins. Every connection acts as the role
 * {@code bursar_app}, whoever logged in, and gives up on a statement or a lock that takes too long.
 *
 * <p>Order of row locks, everywhere: lane, wallet, payment.
 */
public final class Database implements AutoCloseable {
  /**
   * How to reach the server.
   *
   * @param url {@code jdbc:postgresql://…}
   * @param poolSize the most connections for everything but lanes, which have their own pool
   */
  public record Settings(String url, String user, Secret password, int poolSize) {}

  /** Text that no log or error may show. */
  public record Secret(String value) {
    @Override
    public String toString() {
      return "REDACTED";
    }
  }

  private static final int LANE_POOL_SIZE = 8;
  private static final int READING_POOL_SIZE = 4;

  private final HikariDataSource pool;
  private final HikariDataSource lanePool;
  private final HikariDataSource readingPool;
  private final JdbcClient sql;
  private final NamedParameterJdbcTemplate batches;
  private final JdbcClient reading;
  private final TransactionTemplate transaction;

  public Database(Settings settings) {
    // What is read here is named, and planned once: to plan a payment's statements anew each time takes longer than to do them. By index,
    // however empty the tables were then: a plan made on an empty table is a sequential scan, and falls behind as the table grows. For
    // the same reason an EXISTS about each of several rows ends in OFFSET 0: it is then looked up for each of them, and never made into a
    // hash of the whole table. And in an index's order, so that a LIMIT ends it: a bitmap is made of all that is due before the first is
    // looked at, and again of what is dead and not yet vacuumed.
    var planned = " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off";
    pool = pool(settings, "bursar", settings.poolSize(), planned);
    lanePool = pool(settings, "lanes", LANE_POOL_SIZE, planned);
    // Each question is planned for what it asks, and no plan may read a whole table where an index serves.
    readingPool = pool(settings, "reading", READING_POOL_SIZE,
        " -c plan_cache_mode=force_custom_plan -c enable_seqscan=off -c jit=off -c default_transaction_read_only=on");
    sql = JdbcClient.create(pool);
    batches = new NamedParameterJdbcTemplate(pool);
    reading = JdbcClient.create(readingPool);
    transaction = new TransactionTemplate(new DataSourceTransactionManager(pool));
  }

  private static HikariDataSource pool(Settings settings, String name, int size, String options) {
    var config = new HikariConfig();
    config.setPoolName(name);
    config.setJdbcUrl(settings.url());
    config.setUsername(settings.user());
    config.setPassword(settings.password().value());
    config.setMaximumPoolSize(size);
    config.setMinimumIdle(name.equals("reading") ? 0 : 1);
    config.setConnectionTimeout(Duration.ofSeconds(5).toMillis());
    config.setInitializationFailTimeout(-1); // the service starts without its database and says so in its health
    config.setConnectionInitSql("SET ROLE bursar_app");
    config.addDataSourceProperty("options",
        "-c statement_timeout=15s -c lock_timeout=8s -c idle_in_transaction_session_timeout=15s -c timezone=UTC"
            + options);
    config.addDataSourceProperty("ApplicationName", name);
    config.addDataSourceProperty("prepareThreshold", "1");
    config.addDataSourceProperty("tcpKeepAlive", "true");
    config.addDataSourceProperty("connectTimeout", "5");
    config.addDataSourceProperty("socketTimeout", "20");
    return new HikariDataSource(config);
  }

  /** Statements outside a transaction, or inside the one that {@link #inTransaction} began on this thread. */
  public JdbcClient sql() {
    return sql;
  }

  /**
   * Statements over much of what there is, for auditors: they can change nothing, and have connections of their own, so that they
   * never hold up anything else.
   */
  public JdbcClient reading() {
    return reading;
  }

  /** The connections behind {@link #sql}, for statements in batches. */
  DataSource source() {
    return pool;
  }

  /**
   * Does one statement once for each of these, all sent together.
   *
   * @param params of each
   * @return how many rows each changed
   */
  <T> int[] batch(String text, List<T> each, Function<T, SqlParameterSource> params) {
    return each.isEmpty()
        ? new int[0]
        : batches.batchUpdate(text, each.stream().map(params).toArray(SqlParameterSource[]::new));
  }

  /** Statements to be sent together; none is done before {@link Statements#send}. */
  Statements statements() {
    return new Statements(batches);
  }

  /** Does all of the work in one transaction, or none of it; an exception rolls back. READ COMMITTED. */
  public <T> T inTransaction(Supplier<T> work) {
    return java.util.Objects.requireNonNull(transaction.execute(status -> work.get()));
  }

  /** Reads one state of the database, however long it takes; holds no lock, and may change nothing. */
  public <T> T inSnapshot(Supplier<T> work) {
    var snapshot = new TransactionTemplate(new DataSourceTransactionManager(pool));
    snapshot.setIsolationLevel(TransactionDefinition.ISOLATION_REPEATABLE_READ);
    snapshot.setReadOnly(true);
    return java.util.Objects.requireNonNull(snapshot.execute(status -> {
      sql.sql("""
          SELECT set_config('statement_timeout', '1h', true), set_config('idle_in_transaction_session_timeout', '1h', true),
            set_config('enable_seqscan', 'on', true)
          """).query((row, n) -> true).single();
      waitForAnswers(Duration.ofHours(1));
      return work.get();
    }));
  }

  /** Until this thread's transaction ends, the driver too waits so long for an answer; the pool sets it back. */
  private void waitForAnswers(Duration atMost) {
    try {
      DataSourceUtils.getConnection(pool).setNetworkTimeout(Runnable::run, (int) atMost.toMillis());
    } catch (SQLException e) {
      throw new IllegalStateException("the driver's time-out cannot be set", e);
    }
  }

  /** As {@link #inTransaction(Supplier)}, for work that answers nothing. */
  public void inTransaction(Runnable work) {
    transaction.executeWithoutResult(status -> work.run());
  }

  /** Connections with the settings that lanes need, in autocommit mode. */
  public DataSource lanes() {
    return lanePool;
  }

  @Override
  public void close() {
    readingPool.close();
    lanePool.close();
    pool.close();
  }
}
