/** Tests of the contract with the signer. */
@NullMarked
package io.bursar.permit;

import org.jspecify.annotations.NullMarked;
