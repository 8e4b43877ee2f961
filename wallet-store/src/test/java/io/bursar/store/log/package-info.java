/** Tests of the store on a real PostgreSQL. */
@NullMarked
package io.bursar.store.log;

import org.jspecify.annotations.NullMarked;
