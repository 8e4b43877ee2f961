/** The arrows between the parts, and the tidiness of the source, as tests. */
@NullMarked
package io.bursar.api.architecture;

import org.jspecify.annotations.NullMarked;
