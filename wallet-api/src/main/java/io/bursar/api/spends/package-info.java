/** Asking to spend: parse, decide in the tenant's lane, answer. */
@NullMarked
package io.bursar.api.spends;

import org.jspecify.annotations.NullMarked;
