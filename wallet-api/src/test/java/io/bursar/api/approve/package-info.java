/** Tests of what an approver runs. */
@NullMarked
package io.bursar.api.approve;

import org.jspecify.annotations.NullMarked;
