/** Tests of the verifier, against logs that nothing here but the test wrote. */
@NullMarked
package io.bursar.verify;

import org.jspecify.annotations.NullMarked;
