@NullMarked
package io.bursar.api.operations;

import org.jspecify.annotations.NullMarked;
