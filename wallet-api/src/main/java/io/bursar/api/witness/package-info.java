/** Witnesses: those that are shown our heads, and the one that we ship. */
@NullMarked
package io.bursar.api.witness;

import org.jspecify.annotations.NullMarked;
