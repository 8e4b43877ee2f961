/** Tests of the rehearsals. */
@NullMarked
package io.bursar.api.rehearsal;

import org.jspecify.annotations.NullMarked;
