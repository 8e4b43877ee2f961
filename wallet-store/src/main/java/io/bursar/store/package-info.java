/** PostgreSQL: who is who, what was decided, and what became of it. Every statement that Bursar sends stands here. */
@NullMarked
package io.bursar.store;

import org.jspecify.annotations.NullMarked;
