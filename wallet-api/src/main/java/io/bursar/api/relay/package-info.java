/** Payments by authorization: wallets sign, and the operator's relayers take the signatures to the chain and pay the gas. */
@NullMarked
package io.bursar.api.relay;

import org.jspecify.annotations.NullMarked;
