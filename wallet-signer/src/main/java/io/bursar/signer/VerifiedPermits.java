package io.bursar.signer;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

import io.bursar.permit.Bytes;
import io.bursar.permit.PermitKey;
import io.bursar.permit.SignedPermit;

/** Verifies permits by their key; a signature that many of them share is verified for the first of them alone. */
final class VerifiedPermits {
  private static final int MOST = 1_000;

  private record Signed(Bytes message, Bytes signature) {}

  private final PermitKey key;
  private final Set<Signed> known = ConcurrentHashMap.newKeySet();

  VerifiedPermits(PermitKey key) {
    this.key = key;
  }

  /** Whether the key has signed the permit, alone or as one of many. */
  boolean isSigned(SignedPermit permit) {
    if (!permit.isOneOfMany()) {
      return permit.isSignedBy(key);
    }
    var signed = new Signed(permit.message(), permit.signature());
    if (known.contains(signed)) {
      return true;
    }
    if (!permit.isSignedBy(key)) {
      return false;
    }
    if (known.size() >= MOST) {
      known.clear();
    }
    known.add(signed);
    return true;
  }
}
