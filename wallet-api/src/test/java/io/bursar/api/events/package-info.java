@NullMarked
package io.bursar.api.events;

import org.jspecify.annotations.NullMarked;
