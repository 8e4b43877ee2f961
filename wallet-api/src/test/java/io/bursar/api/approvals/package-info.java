/** Tests of approving. */
@NullMarked
package io.bursar.api.approvals;

import org.jspecify.annotations.NullMarked;
