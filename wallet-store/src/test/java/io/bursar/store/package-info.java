/** Tests of the store on a real PostgreSQL. */
@NullMarked
package io.bursar.store;

import org.jspecify.annotations.NullMarked;
