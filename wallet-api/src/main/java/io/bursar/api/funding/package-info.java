/** What wallets hold on their chains: whether it suffices for what they are to pay. */
@NullMarked
package io.bursar.api.funding;

import org.jspecify.annotations.NullMarked;
