/** Tests of {@code io.bursar.spend}. */
@NullMarked
package io.bursar.spend;

import org.jspecify.annotations.NullMarked;
