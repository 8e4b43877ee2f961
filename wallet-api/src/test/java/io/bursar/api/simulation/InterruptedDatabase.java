package io.bursar.api.simulation;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.logging.Logger;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

/**
 * PostgreSQL behind a port that the world can interrupt: a driver for {@code jdbc:interrupted:…}. An {@link Actor} gives its turn back
 * before every transaction and after it, never within one, and there the seed may kill its process, let the transaction fail, or
 * let it succeed and lose the answer. Other threads pass unhindered.
 */
final class InterruptedDatabase implements Driver {
  /** A failure that the seed wanted; any other is a finding. */
  static final class Injected extends SQLException {
    private static final long serialVersionUID = 1;

    Injected(String message, String state) {
      super(message, state);
    }
  }

  /** What a query has in its text if it could write; a row that is locked is not written. */
  private static final Pattern WRITES = Pattern
      .compile("(?i)\\b(insert|delete|merge|truncate|nextval|setval)\\b|(?<!\\bfor )(?<!\\bkey )\\bupdate\\b");
  private static final Map<String, Boolean> COULD_WRITE = new ConcurrentHashMap<>();
  private static final String PREFIX = "jdbc:interrupted:";
  private static volatile @Nullable World world;

  static {
    try {
      DriverManager.registerDriver(new InterruptedDatabase());
    } catch (SQLException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private InterruptedDatabase() {}

  /** The same database, to be reached through the port. */
  static String url(String plain) {
    return plain.replaceFirst("^jdbc:", PREFIX);
  }

  /** Whose turns and chances count from now on. */
  static void interruptedBy(World next) {
    world = next;
  }

  @Override
  public @Nullable Connection connect(String url, Properties info) throws SQLException {
    if (!acceptsURL(url)) {
      return null;
    }
    var plain = DriverManager.getConnection("jdbc:" + url.substring(PREFIX.length()), info);
    return proxy(Connection.class, new Session(plain));
  }

  @Override
  public boolean acceptsURL(String url) {
    return url.startsWith(PREFIX);
  }

  @Override
  public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) {
    return new DriverPropertyInfo[0];
  }

  @Override
  public int getMajorVersion() {
    return 1;
  }

  @Override
  public int getMinorVersion() {
    return 0;
  }

  @Override
  public boolean jdbcCompliant() {
    return false;
  }

  @Override
  public Logger getParentLogger() throws SQLFeatureNotSupportedException {
    throw new SQLFeatureNotSupportedException();
  }

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(InterruptedDatabase.class.getClassLoader(), new Class<?>[]{type}, handler));
  }

  /** One connection, and whether the actor has begun a transaction on it. */
  private static final class Session implements InvocationHandler {
    private final Connection plain;
    private boolean begun;
    private boolean wrote;

    Session(Connection plain) {
      this.plain = plain;
    }

    @Override
    public @Nullable Object invoke(Object proxy, Method method, @Nullable Object @Nullable [] arguments)
        throws Throwable {
      var actor = Actor.current();
      return switch (method.getName()) {
        case "prepareStatement" ->
          proxy(PreparedStatement.class, statement(made(method, arguments), String.valueOf(first(arguments))));
        case "createStatement" ->
          proxy(Statement.class, statement(made(method, arguments), ""));
        case "commit" -> {
          if (actor.isPresent() && begun) {
            end(actor.get(), () -> InterruptedDatabase.call(plain, method, arguments));
            yield null;
          }
          yield InterruptedDatabase.call(plain, method, arguments);
        }
        case "rollback" -> {
          begun = false;
          yield InterruptedDatabase.call(plain, method, arguments);
        }
        default -> InterruptedDatabase.call(plain, method, arguments);
      };
    }

    private Statement made(Method method, @Nullable Object @Nullable [] arguments) throws Throwable {
      return (Statement) java.util.Objects.requireNonNull(InterruptedDatabase.call(plain, method, arguments));
    }

    private static @Nullable Object first(@Nullable Object @Nullable [] arguments) {
      return java.util.Objects.requireNonNull(arguments)[0];
    }

    private InvocationHandler statement(Statement statement, String sql) {
      return (proxy, method, arguments) -> {
        var actor = Actor.current();
        if (!method.getName().startsWith("execute")) {
          return InterruptedDatabase.call(statement, method, arguments);
        }
        if (actor.isEmpty()) {
          wroteUnhindered();
          return InterruptedDatabase.call(statement, method, arguments);
        }
        if (plain.getAutoCommit()) {
          interrupt(actor.get());
          return end(actor.get(), () -> noted(sql, method, InterruptedDatabase.call(statement, method, arguments)));
        }
        if (!begun) {
          interrupt(actor.get());
          begun = true;
        } else {
          actor.get().requireAlive();
          require(world).within(actor.get(), this::abort);
        }
        return noted(sql, method, InterruptedDatabase.call(statement, method, arguments));
      };
    }

    /** Remembers whether a statement could have written anything: only then is there anything to read again. */
    private @Nullable Object noted(String sql, Method method, @Nullable Object result) {
      wrote |= switch (method.getName()) {
        case "executeQuery" -> COULD_WRITE.computeIfAbsent(sql, text -> WRITES.matcher(text).find());
        case "executeUpdate" ->
          !Integer.valueOf(0).equals(result) || sql.stripLeading().regionMatches(true, 0, "WITH", 0, 4);
        default -> true;
      };
      return result;
    }

    /** A process that is started writes with no turn to give back. */
    private static void wroteUnhindered() {
      var present = world;
      if (present != null) {
        present.wrote();
      }
    }

    private static void interrupt(Actor actor) {
      actor.interruption();
      require(world).time().publish();
    }

    private interface Work {
      @Nullable
      Object run() throws Throwable;
    }

    /** The end of a transaction, or a statement that is one by itself. */
    private @Nullable Object end(Actor actor, Work work) throws Throwable {
      actor.requireAlive();
      require(world).within(actor, this::abort);
      var result = work.run();
      begun = false;
      if (wrote) {
        wrote = false;
        require(world).wrote();
      }
      require(world).committed(actor);
      return result;
    }

    private void abort() {
      begun = false;
      try {
        if (!plain.getAutoCommit()) {
          plain.rollback();
        }
      } catch (SQLException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private static World require(@Nullable World present) {
    return java.util.Objects.requireNonNull(present, "no world yet");
  }

  private static @Nullable Object call(Object target, Method method, @Nullable Object @Nullable [] arguments)
      throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }
}
