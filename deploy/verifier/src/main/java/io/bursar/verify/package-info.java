/** What an auditor runs: checks a log, from its server or from a folder, with nothing but its public key. */
@NullMarked
package io.bursar.verify;

import org.jspecify.annotations.NullMarked;
