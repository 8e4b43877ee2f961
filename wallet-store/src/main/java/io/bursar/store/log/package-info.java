/** The Merkle log over each tenant's entries: sequencing, tiles, signed heads and receipts. */
@NullMarked
package io.bursar.store.log;

import org.jspecify.annotations.NullMarked;
