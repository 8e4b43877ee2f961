/** What an approver runs on a machine of its own: making a key, reading what is to be signed, signing it. */
@NullMarked
package io.bursar.api.approve;

import org.jspecify.annotations.NullMarked;
