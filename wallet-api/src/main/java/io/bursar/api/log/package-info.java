/** The logs as others read them: heads, tiles, receipts; and the thread that keeps them up to date. */
@NullMarked
package io.bursar.api.log;

import org.jspecify.annotations.NullMarked;
