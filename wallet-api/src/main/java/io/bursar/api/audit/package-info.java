/** Reading the record of what was authorized. */
@NullMarked
package io.bursar.api.audit;

import org.jspecify.annotations.NullMarked;
