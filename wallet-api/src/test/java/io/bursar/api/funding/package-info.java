@NullMarked
package io.bursar.api.funding;

import org.jspecify.annotations.NullMarked;
