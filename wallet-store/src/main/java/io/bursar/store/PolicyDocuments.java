package io.bursar.store;

import java.util.Optional;

import io.bursar.json.Json;
import io.bursar.policy.Policy;
import io.bursar.policy.PolicyEnvironment;
import io.bursar.policy.PolicyJson;
import io.bursar.policy.cel.CelConditions;

/** Policy documents with all that they need beside themselves. */
public final class PolicyDocuments {
  /** CEL takes a while to get ready, and is asked only where a document has a condition. */
  private static final PolicyEnvironment ENVIRONMENT = new PolicyEnvironment(reference -> Optional.empty(),
      (expression, sets) -> CelConditions.INSTANCE.compile(expression, sets));

  private PolicyDocuments() {}

  /** What documents may name and say. */
  public static PolicyEnvironment environment() {
    return ENVIRONMENT;
  }

  /** A document that some time was validated. */
  static Policy load(Json document) {
    return PolicyJson.load(document, ENVIRONMENT);
  }
}
