/** The policy language: rules, the pure decision over them, and the counters that a decision reads. */
@NullMarked
package io.bursar.policy;

import org.jspecify.annotations.NullMarked;
