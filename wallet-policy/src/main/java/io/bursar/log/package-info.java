/** The Merkle log as pure functions and formats: hashing, proofs, tiles, signed notes, checkpoints, receipts; no I/O, no clock. */
@NullMarked
package io.bursar.log;

import org.jspecify.annotations.NullMarked;
