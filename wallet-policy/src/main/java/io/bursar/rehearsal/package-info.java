/** Trying policies out before they decide over money: ledgers of spends, history decided again, and what rules alone say. */
@NullMarked
package io.bursar.rehearsal;

import org.jspecify.annotations.NullMarked;
