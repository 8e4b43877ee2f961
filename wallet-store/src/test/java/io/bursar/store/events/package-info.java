@NullMarked
package io.bursar.store.events;

import org.jspecify.annotations.NullMarked;
