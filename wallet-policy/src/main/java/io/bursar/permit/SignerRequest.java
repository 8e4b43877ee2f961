package io.bursar.permit;

import java.util.UUID;

/** What can be asked of the signer. There is no request that takes a digest, a raw transaction or free text. */
public sealed interface SignerRequest {
  /** Are you well, and how are you running? */
  record Health() implements SignerRequest {}

  /**
   * Make a random secp256k1 key. Asking again for the same tenant and id answers the same address.
   *
   * @param tenantId whose key it will be
   * @param keyId the wallet's id
   */
  record CreateKey(UUID tenantId, UUID keyId) implements SignerRequest {}

  /**
   * Sign the transaction that the intent describes.
   *
   * @param permit covers the intent's hash
   * @param intent the bytes of {@link TransferIntent#encode}
   */
  record Sign(SignedPermit permit, Bytes intent) implements SignerRequest {}
}
