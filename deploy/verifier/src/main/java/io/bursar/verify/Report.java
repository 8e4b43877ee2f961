package io.bursar.verify;

import java.time.Duration;

import io.bursar.log.Checkpoint;
import io.bursar.log.SignedNote;

/**
 * What was checked, all of it good.
 *
 * @param note the checkpoint as it was signed: keep it, for the next check to begin from
 * @param from the first entry that was checked: 0, or the size of an earlier checkpoint
 * @param entries how many entries were read and hashed
 * @param absent how many entries are not in this copy of the log, so that only their hashes were checked
 * @param files how many tiles and bundles were read
 * @param replayed how many authorizations were decided again
 * @param undecided how many could not be: their policies or the sets that those name are not in the log itself, nor beside it
 */
public record Report(Checkpoint checkpoint, SignedNote note, long from, long entries, long absent, long files,
    long replayed, long undecided, Duration took) {}
