/** What every request to move money is normalised to, and how things are named. */
@NullMarked
package io.bursar.spend;

import org.jspecify.annotations.NullMarked;
