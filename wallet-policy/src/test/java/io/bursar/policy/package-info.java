/** Tests of the policy language. */
@NullMarked
package io.bursar.policy;

import org.jspecify.annotations.NullMarked;
