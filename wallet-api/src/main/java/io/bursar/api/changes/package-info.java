/** Changes of the rules that need a quorum. */
@NullMarked
package io.bursar.api.changes;

import org.jspecify.annotations.NullMarked;
