/** Signatures of requests, by the standard's own examples and by everything that may be wrong with one. */
@NullMarked
package io.bursar.api.http.signature;

import org.jspecify.annotations.NullMarked;
