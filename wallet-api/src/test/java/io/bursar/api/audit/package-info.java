/** Tests of what auditors read. */
@NullMarked
package io.bursar.api.audit;

import org.jspecify.annotations.NullMarked;
