/** Strict JSON: what is read is exactly what was written, and what is hashed has one form (RFC 8785). */
@NullMarked
package io.bursar.json;

import org.jspecify.annotations.NullMarked;
