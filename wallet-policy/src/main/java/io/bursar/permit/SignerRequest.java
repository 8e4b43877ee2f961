package io.bursar.permit;

import java.util.List;
import java.util.Optional;
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
   * @param evidence that the authorization is in the log; a signer may be set up to sign without, for development
   */
  record Sign(SignedPermit permit, Bytes intent, Optional<Evidence> evidence) implements SignerRequest {
    /** A request without evidence. */
    public Sign(SignedPermit permit, Bytes intent) {
      this(permit, intent, Optional.empty());
    }
  }

  /**
   * What shows that a payment was authorized on the record.
   *
   * @param entry the authorization as its bytes stand in the log, at most 65,535
   * @param proof its receipt, a {@code .tlog-proof}, at most 65,535 bytes
   */
  record Evidence(Bytes entry, Bytes proof) {}

  /**
   * Sign the head of a tenant's log, if the log has only grown since the head that was signed last.
   *
   * @param size how many entries the log has, at least 1
   * @param root of the tree of that size
   * @param oldSize of the head that was signed last; 0 if none was
   * @param proof of consistency from that head (RFC 6962); empty from size 0, at most {@link #PROOF_MAX} hashes
   */
  record SignHead(UUID tenantId, long size, Digest32 root, long oldSize, List<Digest32> proof)
      implements
        SignerRequest {
    /** The most hashes of a proof of consistency. */
    public static final int PROOF_MAX = 64;

    public SignHead {
      proof = List.copyOf(proof);
    }
  }

  /** What key signs the heads of the tenant's log? */
  record LogKey(UUID tenantId) implements SignerRequest {}
}
