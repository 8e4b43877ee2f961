/** Rehearsing policies: by files without a server, and by the API over what was recorded. */
@NullMarked
package io.bursar.api.rehearsal;

import org.jspecify.annotations.NullMarked;
