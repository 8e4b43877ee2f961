package io.bursar.api.simulation;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;

/**
 * The time of a simulated world. Its PostgreSQL reads it too: {@code now()} and {@code clock_timestamp()} are found in a schema
 * that is searched before PostgreSQL's own, and read a sequence, which every session sees at once.
 */
final class SimulatedTime {
  static final Instant BEGINNING = Instant.parse("2026-03-02T10:00:00Z");
  /** How far the wall clocks may be off, either way. */
  private static final Duration OFF_MAX = Duration.ofHours(1);

  /**
   * Run as the administrator of a database before anybody else connects to it. The functions are PL/pgSQL, which plans once for a
   * session what SQL plans for every call, and plans are made once for every value: planning was half of what the server did.
   */
  static final String INSTALL = """
      CREATE SCHEMA simulated;
      CREATE SEQUENCE simulated.micros MINVALUE -4000000000 START 0;
      CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$ BEGIN
        RETURN (SELECT timestamptz '2026-03-02 10:00:00+00' + last_value * interval '1 microsecond' FROM simulated.micros);
      END $$;
      CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$ BEGIN
        RETURN simulated.now();
      END $$;
      GRANT USAGE ON SCHEMA simulated TO PUBLIC;
      GRANT SELECT, UPDATE ON SEQUENCE simulated.micros TO PUBLIC;
      DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = simulated, pg_catalog, public', current_database());
        EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
        EXECUTE format('ALTER DATABASE %I SET plan_cache_mode = force_generic_plan', current_database());
      END $$""";

  private final Connection connection;
  private long elapsedMicros;
  private long jumpedMicros;
  private long published = -1;

  /** Begins at the same moment as every other. */
  SimulatedTime(Connection connection) {
    this.connection = connection;
  }

  /** By the wall clocks of the database and of every process. */
  Instant now() {
    return BEGINNING.plus(elapsed()).plusNanos(jumpedMicros * 1000);
  }

  /** The wall clock of every process. */
  Clock clock() {
    InstantSource source = this::now;
    return source.withZone(ZoneOffset.UTC);
  }

  /** Since the beginning, whatever the wall clocks say. */
  Duration elapsed() {
    return Duration.ofNanos(elapsedMicros * 1000);
  }

  /** As {@link System#nanoTime} would have it. */
  long nanos() {
    return elapsedMicros * 1000;
  }

  void pass(Duration time) {
    elapsedMicros += time.toNanos() / 1000;
  }

  /** Sets the wall clocks off by so much, back if negative; at most an hour. */
  void jump(Duration off) {
    long most = OFF_MAX.toNanos() / 1000;
    jumpedMicros = Math.clamp(off.toNanos() / 1000, -most, most);
  }

  /** Lets the database see what time it is. */
  void publish() {
    long micros = elapsedMicros + jumpedMicros;
    if (micros == published) {
      return;
    }
    try (var statement = connection.prepareStatement("SELECT setval('simulated.micros', ?)")) {
      statement.setLong(1, micros);
      statement.execute();
      published = micros;
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }
}
