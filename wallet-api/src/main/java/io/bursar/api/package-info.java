/** The service as a process: its settings, its wiring, its start. */
@NullMarked
package io.bursar.api;

import org.jspecify.annotations.NullMarked;
