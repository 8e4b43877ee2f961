package io.bursar.permit;

import java.nio.charset.StandardCharsets;
import java.util.UUID;

import io.bursar.money.Address;

/**
 * What the signer can be asked to sign, and nothing else: a closed family of typed forms, each of which it encodes itself. Two
 * intents are the same if and only if their bytes are.
 *
 * <p>
 * The bytes begin with version 1 (1) and kind (1): 1 is a {@link TransferIntent}, 2 an {@link AuthorizationIntent}, 3 a
 * {@link RelayIntent} of payments alone, 4 a {@link CancelIntent}, 5 a {@link CancelAuthorizationIntent}, 6 a {@link RelayIntent} with
 * cancellations in it, 7 a {@link RefillIntent}. A changed layout takes another version.
 */
public sealed interface Intent permits PaymentIntent, TransactionIntent, CancelAuthorizationIntent {
  /** The version that every form's bytes begin with. */
  int VERSION = 1;

  /** Whose key it is to be signed with. */
  UUID tenantId();

  /** What the permit names: the spend that is paid or canceled, the batch that is relayed, or the refill. */
  UUID subjectId();

  /** The key that signs. */
  UUID keyId();

  /** EIP-155 chain id on which the signature is good. */
  long chainId();

  /** The address of the key, stated again so that a mix-up of keys is seen. */
  Address from();

  /** The bytes of the form's layout. */
  byte[] encode();

  /** What a permit names: SHA-256 over {@code "bursar transfer intent v1\n"} and the encoded bytes. */
  default Digest32 hash() {
    return hashOf(encode());
  }

  /** The hash of bytes that may or may not be an intent; equal to {@link #hash} if they are. */
  static Digest32 hashOf(byte[] encoded) {
    return Digest32.sha256("bursar transfer intent v1\n".getBytes(StandardCharsets.US_ASCII), encoded);
  }

  /**
   * Reads back what {@link #encode} wrote.
   *
   * @throws IllegalArgumentException for any other bytes: another version or kind, a field out of range, a byte too few
   *         or too many
   */
  static Intent decode(byte[] bytes) {
    var in = new WireReader("the intent", bytes);
    int version = in.u8();
    int kind = in.u8();
    if (version != VERSION) {
      throw new IllegalArgumentException("the intent has version " + version + "; only version 1 is known");
    }
    var intent = switch (kind) {
      case TransferIntent.KIND -> TransferIntent.read(in);
      case AuthorizationIntent.KIND -> AuthorizationIntent.read(in);
      case RelayIntent.KIND, RelayIntent.MIXED_KIND -> RelayIntent.read(in, kind);
      case CancelIntent.KIND -> CancelIntent.read(in);
      case RefillIntent.KIND -> RefillIntent.read(in);
      case CancelAuthorizationIntent.KIND -> CancelAuthorizationIntent.read(in);
      default -> throw new IllegalArgumentException("the intent has kind " + kind
          + "; only 1 (an ERC-20 transfer), 2 (an EIP-3009 authorization), 3 (a batch of these), 4 (a cancellation), 5 (that of an authorization), 6 (a batch with cancellations) and 7 (a refill of a relayer) are known");
    };
    in.end();
    return intent;
  }
}
