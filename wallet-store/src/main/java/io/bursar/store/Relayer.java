package io.bursar.store;

import java.nio.charset.StandardCharsets;
import java.util.UUID;

import io.bursar.money.Address;

/**
 * An account of the operator that pays gas.
 *
 * @param chain CAIP-2 name
 * @param keyId its key in the signer
 */
public record Relayer(String chain, UUID keyId, Address address) {
  /** The key's id of the account of a number: every process and every start has the same. */
  public static UUID keyId(String chain, int number) {
    return UUID.nameUUIDFromBytes(("bursar relayer " + chain + " " + number).getBytes(StandardCharsets.UTF_8));
  }

  /** Whether it is the one that keeps its chain's others in native coin: the first. */
  public boolean refillsOthers() {
    return keyId.equals(keyId(chain, 0));
  }
}
