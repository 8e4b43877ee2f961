/** Tests of the rehearsals. */
@NullMarked
package io.bursar.rehearsal;

import org.jspecify.annotations.NullMarked;
