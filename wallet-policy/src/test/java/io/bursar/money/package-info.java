/** Tests of {@code io.bursar.money}. */
@NullMarked
package io.bursar.money;

import org.jspecify.annotations.NullMarked;
