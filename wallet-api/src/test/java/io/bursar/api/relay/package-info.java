/** Measurements of the relay; its tests stand with those of settlement. */
@NullMarked
package io.bursar.api.relay;

import org.jspecify.annotations.NullMarked;
