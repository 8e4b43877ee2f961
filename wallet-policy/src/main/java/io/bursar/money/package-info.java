/** Exact money: assets, amounts in whole base units, and account addresses. */
@NullMarked
package io.bursar.money;

import org.jspecify.annotations.NullMarked;
