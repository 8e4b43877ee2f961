/** Tests of conditions in CEL. */
@NullMarked
package io.bursar.policy.cel;

import org.jspecify.annotations.NullMarked;
