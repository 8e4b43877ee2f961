/** The development chain: real USDC on it, and money for the asking. Nothing here runs in production. */
@NullMarked
package io.bursar.api.dev;

import org.jspecify.annotations.NullMarked;
