/** One EVM chain through its JSON-RPC node: what is asked of it, and what its answers prove. */
@NullMarked
package io.bursar.api.chain;

import org.jspecify.annotations.NullMarked;
