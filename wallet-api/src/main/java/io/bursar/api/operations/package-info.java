/** What is stuck, and why: asked of a running instance by its operator. */
@NullMarked
package io.bursar.api.operations;

import org.jspecify.annotations.NullMarked;
