/** The promises of the whole service, tried on real processes. */
@NullMarked
package io.bursar.api.endtoend;

import org.jspecify.annotations.NullMarked;
