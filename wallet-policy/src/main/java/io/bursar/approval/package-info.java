/** What approvers sign, byte for byte, and by which keys; read by the API, by offline tools and by whoever checks afterwards. */
@NullMarked
package io.bursar.approval;

import org.jspecify.annotations.NullMarked;
