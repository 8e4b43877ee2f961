/** Tests of the signer. */
@NullMarked
package io.bursar.signer;

import org.jspecify.annotations.NullMarked;
