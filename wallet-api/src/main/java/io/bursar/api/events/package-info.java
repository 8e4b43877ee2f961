/** Tells others what happens: a stream of events, webhooks, and what keeps a webhook from reaching where it must not. */
@NullMarked
package io.bursar.api.events;

import org.jspecify.annotations.NullMarked;
