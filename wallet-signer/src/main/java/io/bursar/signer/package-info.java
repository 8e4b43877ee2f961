/** The process that owns the private keys: it checks a permit, writes its journal and signs what it encoded itself. */
@NullMarked
package io.bursar.signer;

import org.jspecify.annotations.NullMarked;
