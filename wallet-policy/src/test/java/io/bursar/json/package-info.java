/** Tests of {@code io.bursar.json}. */
@NullMarked
package io.bursar.json;

import org.jspecify.annotations.NullMarked;
