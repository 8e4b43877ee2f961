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
   * Sign what the intent describes.
   *
   * @param permit covers the intent's hash
   * @param intent the bytes of {@link Intent#encode}
   * @param evidence that a payment's authorization is in the log; a signer may be set up to sign without, for development; a
   *          relayed batch has none, since its payments were signed for with theirs
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
   * @param approved what approvers have signed, where the authorization asked for them
   */
  record Evidence(Bytes entry, Bytes proof, Optional<Approved> approved) {
    /** Of a payment that nobody had to approve. */
    public Evidence(Bytes entry, Bytes proof) {
      this(entry, proof, Optional.empty());
    }
  }

  /**
   * What approvers have signed.
   *
   * @param text the bytes of an approval text, one for all
   * @param words of different approvers, at most {@link #WORDS_MAX}
   */
  record Approved(Bytes text, List<Word> words) {
    /** The most approvers of one payment. */
    public static final int WORDS_MAX = 200;

    public Approved {
      words = List.copyOf(words);
    }
  }

  /**
   * One approver's word.
   *
   * @param groups that the approver is in, as the API says; a signer that learned who approves under a quorum does not read it
   * @param key the approver's JSON Web Key, as the API says; likewise; empty where an API key alone spoke, in development
   * @param signature over the text or, by a passkey, over its hash; no bytes where an API key alone spoke
   */
  record Word(UUID approverId, List<String> groups, String key, Bytes signature, Optional<Passkey> passkey) {
    public Word {
      groups = List.copyOf(groups);
    }
  }

  /** What an authenticator says beside its signature. */
  record Passkey(Bytes credentialId, Bytes authenticatorData, Bytes clientData) {}

  /**
   * An order of the holders of root keys.
   *
   * @param text the bytes of an order text
   * @param signatures over them, by different root keys, at most {@link #SIGNATURES_MAX}
   */
  record SignedOrder(Bytes text, List<Bytes> signatures) {
    /** The most signatures of one order. */
    public static final int SIGNATURES_MAX = 32;

    public SignedOrder {
      signatures = List.copyOf(signatures);
    }
  }

  /**
   * Do what an order says.
   *
   * @param content the bytes whose hash the order names
   */
  record Obey(SignedOrder order, Bytes content) implements SignerRequest {}

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

  /**
   * Sign nothing more, from now on, until the freeze is lifted. Whoever can connect can freeze.
   *
   * @param why for the log, at most {@link #WHY_MAX} characters
   */
  record Freeze(FreezeScope scope, String why) implements SignerRequest {
    /** The longest reason. */
    public static final int WHY_MAX = 200;
  }

  /**
   * Lift a freeze, where there is no root set; with one it takes an order.
   *
   * @param operatorKey 32 bytes that only the signer's operator can read; for a hold any
   */
  record Lift(FreezeScope scope, Bytes operatorKey) implements SignerRequest {
    /** Length of the operator's key. */
    public static final int KEY_BYTES = 32;

    /** Does not show the key. */
    @Override
    public String toString() {
      return "Lift[" + scope + ", REDACTED]";
    }
  }

  /** Does a freeze hold this key of this tenant? */
  record IsFrozen(UUID tenantId, UUID keyId) implements SignerRequest {}

  /**
   * Does the journal still hold this? How far has it come?
   *
   * @param known the last mark that the caller has kept; empty if none
   */
  record Mark(Optional<JournalMark> known) implements SignerRequest {}

  /** What key signs the heads of the tenant's log? */
  record LogKey(UUID tenantId) implements SignerRequest {}
}
