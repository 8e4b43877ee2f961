/** The contract and the service held against each other, and what the service makes of input that is wrong. */
@NullMarked
package io.bursar.api.contract;

import org.jspecify.annotations.NullMarked;
