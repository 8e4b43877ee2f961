/** Real processes for tests: a chain, a signer, and settlement between them. Each picks what is free and ends with its test. */
@NullMarked
package io.bursar.api.testing;

import org.jspecify.annotations.NullMarked;
