/** The contract with the signer: typed intents, the permits that cover them, and the frames that carry both. */
@NullMarked
package io.bursar.permit;

import org.jspecify.annotations.NullMarked;
