/** Pays what was authorized: each step recorded before its effect, each step safe to repeat. */
@NullMarked
package io.bursar.api.settlement;

import org.jspecify.annotations.NullMarked;
