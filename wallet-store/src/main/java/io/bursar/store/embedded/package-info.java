/** PostgreSQL inside the data directory of one installation: unpacked, initialised, held by this process and stopped with it. */
@NullMarked
package io.bursar.store.embedded;

import org.jspecify.annotations.NullMarked;
