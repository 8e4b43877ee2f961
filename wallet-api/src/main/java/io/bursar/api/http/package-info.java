/** What every call has in common: who calls, what a body may be, how an error reads. */
@NullMarked
package io.bursar.api.http;

import org.jspecify.annotations.NullMarked;
