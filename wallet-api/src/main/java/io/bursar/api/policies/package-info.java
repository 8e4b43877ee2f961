/** Writing policies, publishing and attaching them. */
@NullMarked
package io.bursar.api.policies;

import org.jspecify.annotations.NullMarked;
