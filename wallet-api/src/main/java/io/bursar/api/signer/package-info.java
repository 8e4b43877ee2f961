/** The signer as seen from here: permits go out, typed replies come back, over one Unix socket. */
@NullMarked
package io.bursar.api.signer;

import org.jspecify.annotations.NullMarked;
