/** Conditions in CEL. Nobody else in the module knows of it, and only who decides has its library on the class path. */
@NullMarked
package io.bursar.policy.cel;

import org.jspecify.annotations.NullMarked;
