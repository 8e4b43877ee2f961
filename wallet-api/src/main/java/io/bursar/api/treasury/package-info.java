/** Rules that keep what wallets hold between two lines, by ordinary spends from and to a treasury wallet. */
@NullMarked
package io.bursar.api.treasury;

import org.jspecify.annotations.NullMarked;
