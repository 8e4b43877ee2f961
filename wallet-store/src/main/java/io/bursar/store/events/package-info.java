/** The record as those outside follow it: events in their order, who is told of them, and how far each has been told. */
@NullMarked
package io.bursar.store.events;

import org.jspecify.annotations.NullMarked;
