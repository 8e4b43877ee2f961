/** HTTP Message Signatures (RFC 9421): what a request's signature must cover, and whether it is of this request. */
@NullMarked
package io.bursar.api.http.signature;

import org.jspecify.annotations.NullMarked;
