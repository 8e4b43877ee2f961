/** What a test of the service needs to know of the signer's keys. */
@NullMarked
package io.bursar.signer;

import org.jspecify.annotations.NullMarked;
