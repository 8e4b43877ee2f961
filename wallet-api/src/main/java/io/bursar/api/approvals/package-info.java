/** What waits for people, and what they say. */
@NullMarked
package io.bursar.api.approvals;

import org.jspecify.annotations.NullMarked;
