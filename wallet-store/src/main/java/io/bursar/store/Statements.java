package io.bursar.store;

import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

import org.springframework.jdbc.core.namedparam.MapSqlParameterSource;
import org.springframework.jdbc.core.namedparam.NamedParameterJdbcTemplate;

/**
 * Statements that change rows, sent to the server in one message and done one after the other: what a lock is held for then waits for one
 * answer and not for one each. For one thread, in one transaction.
 */
final class Statements {
  private static final int ANY = -1;

  private final NamedParameterJdbcTemplate sql;
  private final List<String> texts = new ArrayList<>();
  private final List<Integer> rows = new ArrayList<>();
  private final MapSqlParameterSource params = new MapSqlParameterSource();

  Statements(NamedParameterJdbcTemplate sql) {
    this.sql = sql;
  }

  /** Adds a statement, which may change any number of rows. */
  Statements add(String text) {
    return add(ANY, text);
  }

  /** Adds a statement that must change so many rows. */
  Statements add(int rowsChanged, String text) {
    texts.add(text);
    rows.add(rowsChanged);
    return this;
  }

  /** A parameter of all of the statements that name it. */
  Statements param(String name, Object value) {
    if (params.hasValue(name) && !Objects.deepEquals(params.getValue(name), value)) {
      throw new IllegalArgumentException("two values for `" + name + "`");
    }
    params.addValue(name, value);
    return this;
  }

  /**
   * Does them all.
   *
   * @throws IllegalStateException if one changed more or fewer rows than it must
   */
  void send() {
    if (!texts.isEmpty()) {
      sql.execute(String.join(";\n", texts), params, statement -> {
        check(statement, statement.execute());
        return null;
      });
    }
  }

  private void check(PreparedStatement done, boolean answersRows) throws SQLException {
    boolean isRows = answersRows;
    for (int i = 0; i < texts.size(); i++) {
      int changed = isRows ? ANY : done.getUpdateCount();
      if (changed == ANY || (rows.get(i) != ANY && rows.get(i) != changed)) {
        throw new IllegalStateException(
            "changed " + changed + " rows, must be " + rows.get(i) + ": " + texts.get(i));
      }
      isRows = done.getMoreResults();
    }
  }
}
