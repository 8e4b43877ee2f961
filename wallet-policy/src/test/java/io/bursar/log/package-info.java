@NullMarked
package io.bursar.log;

import org.jspecify.annotations.NullMarked;
