/**
 * A simulated world around the real code of lanes, the log's sequencer, settlement and the signer: one seed decides who does the next
 * step, when it is interrupted, what the node answers, and how time passes.
 */
@NullMarked
package io.bursar.api.simulation;

import org.jspecify.annotations.NullMarked;
