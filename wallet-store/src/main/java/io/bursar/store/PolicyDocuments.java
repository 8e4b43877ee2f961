package io.bursar.store;

import java.sql.Connection;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;

import org.springframework.jdbc.datasource.DataSourceUtils;

import io.bursar.json.Json;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.ValueSet;
import io.bursar.policy.cel.CelConditions;

/** Policy documents with all that they need beside themselves: the sets of their tenant, and conditions in CEL. */
public final class PolicyDocuments {
  /** CEL takes a while to get ready, and is asked only where a document has a condition. */
  private static final PolicyEnvironment.Conditions CONDITIONS = (expression, sets) -> CelConditions.INSTANCE
      .compile(expression, sets);

  private PolicyDocuments() {}

  /** What the documents of a tenant may name and say. */
  public static PolicyEnvironment environment(Database database, UUID tenantId) {
    return environment(reference -> {
      var connection = DataSourceUtils.getConnection(database.source());
      try {
        return ValueSets.find(connection, tenantId, reference);
      } finally {
        DataSourceUtils.releaseConnection(connection, database.source());
      }
    });
  }

  private static PolicyEnvironment environment(Function<String, Optional<ValueSet>> sets) {
    return new PolicyEnvironment(sets, CONDITIONS);
  }

  /** A document of a tenant that some time was validated. */
  static Policy load(Database database, UUID tenantId, Json document) {
    return PolicyJson.load(document, environment(database, tenantId));
  }

  /** As {@link #load(Database, UUID, Json)}, over a connection of the caller's. */
  static Policy load(Connection connection, UUID tenantId, Json document) {
    return PolicyJson.load(document, environment(reference -> ValueSets.find(connection, tenantId, reference)));
  }
}
