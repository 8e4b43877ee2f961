/** The main job, and production mode, played once against a running instance, from outside. */
@NullMarked
package io.bursar.api.demo;

import org.jspecify.annotations.NullMarked;
