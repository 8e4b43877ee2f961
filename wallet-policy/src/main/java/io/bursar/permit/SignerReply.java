package io.bursar.permit;

import java.util.List;
import java.util.UUID;

import io.bursar.money.Address;

/** What the signer answers. */
public sealed interface SignerReply {
  /**
   * The signer is ready.
   *
   * @param version of the signer
   * @param backend which curve arithmetic signs: {@code libsecp256k1} or {@code bouncycastle}
   * @param hardening what protects the process and what does not, one fact an entry; at most 64
   */
  record Healthy(String version, String backend, List<String> hardening) implements SignerReply {
    public Healthy {
      hardening = List.copyOf(hardening);
    }
  }

  /** The key exists, just now or from an earlier request, and this is its address. */
  record KeyCreated(UUID keyId, Address address) implements SignerReply {}

  /**
   * Signed.
   *
   * @param rawTransaction the typed transaction (EIP-2718) as {@code eth_sendRawTransaction} takes it
   * @param transactionHash its Keccak-256
   */
  record Signed(Bytes rawTransaction, Digest32 transactionHash) implements SignerReply {
    /** Whether the hash is the transaction's. */
    public boolean isConsistent() {
      return transactionHash.equals(Digest32.of(Address.keccak256(rawTransaction.toByteArray())));
    }
  }

  /**
   * The authorization is signed.
   *
   * @param signature 65 bytes, as {@link Authorization.Signed} has it
   * @param digest the EIP-712 digest that it is over
   */
  record AuthorizationSigned(Bytes signature, Digest32 digest) implements SignerReply {}

  /**
   * The head is signed.
   *
   * @param checkpoint the signed note
   */
  record HeadSigned(Bytes checkpoint) implements SignerReply {}

  /**
   * Not signed: the proof does not begin at the head that was signed last, or the log is shorter than it. This is that head.
   *
   * @param size 0 if none was signed
   */
  record HeadIs(long size, Digest32 root) implements SignerReply {}

  /**
   * The key of a tenant's log.
   *
   * @param vkey the verifier key, as auditors are given it; its name is the origin of the log
   */
  record LogKeyIs(String vkey) implements SignerReply {}

  /** The order was obeyed. */
  record Obeyed(long number) implements SignerReply {}

  /**
   * Whether the scope is frozen now.
   *
   * @param scope what was asked; or, of a key that a wider freeze holds, that freeze
   */
  record Frozen(FreezeScope scope, boolean frozen) implements SignerReply {}

  /** The journal holds what was asked about, and has come this far. */
  record MarkIs(JournalMark mark) implements SignerReply {}

  /**
   * Not done, and nothing was signed.
   *
   * @param reason stable
   * @param message for a person's eyes, at most 1,000 characters, never a secret
   */
  record Refused(SignerRefusal reason, String message) implements SignerReply {
    public Refused {
      message = message.length() <= 1000 ? message : message.substring(0, 1000);
    }
  }
}
