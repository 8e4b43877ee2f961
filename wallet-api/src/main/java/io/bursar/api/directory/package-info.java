/** Tenants, agents, keys, wallets, assets and approvers. */
@NullMarked
package io.bursar.api.directory;

import org.jspecify.annotations.NullMarked;
