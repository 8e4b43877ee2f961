/** Replacing a wallet by one with a new key, and moving its money there by ordinary spends. */
@NullMarked
package io.bursar.api.rotation;

import org.jspecify.annotations.NullMarked;
