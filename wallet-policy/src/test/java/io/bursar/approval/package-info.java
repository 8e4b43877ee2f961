/** Tests of what approvers sign. */
@NullMarked
package io.bursar.approval;

import org.jspecify.annotations.NullMarked;
