package io.bursar.signer;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

import org.bouncycastle.util.BigIntegers;

import io.bursar.money.Address;
import io.bursar.permit.Authorization;
import io.bursar.permit.AuthorizationCancellation;
import io.bursar.permit.Bytes;
import io.bursar.permit.RelayIntent;

/**
 * EIP-3009 authorizations and their cancellations: what is signed for one, and the call that takes a batch of them to the chain, all
 * built from typed fields and nothing else.
 *
 * @see <a href="https://eips.ethereum.org/EIPS/eip-3009">EIP-3009</a>
 * @see <a href="https://eips.ethereum.org/EIPS/eip-712">EIP-712</a>
 */
final class Eip3009 {
  private static final byte[] DOMAIN_TYPE = hash(
      "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
  private static final byte[] TRANSFER_TYPE = hash(
      "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)");
  private static final byte[] CANCEL_TYPE = hash("CancelAuthorization(address authorizer,bytes32 nonce)");
  /** First four bytes of the hash of each function with the signature's parts {@code v}, {@code r} and {@code s}. */
  private static final byte[] TRANSFER = HexFormat.of().parseHex("e3ee160e");
  private static final byte[] CANCEL = HexFormat.of().parseHex("5a049a70");
  /** First four bytes of the hash of {@code aggregate3((address,bool,bytes)[])}. */
  private static final byte[] AGGREGATE = HexFormat.of().parseHex("82ad56cb");
  private static final int WORD = 32;
  /** A call of a batch beside its bytes: target, whether it may fail, where its bytes begin, and how many there are. */
  private static final int ITEM_HEAD_BYTES = 4 * WORD;
  private static final int V_BASE = 27;

  private Eip3009() {}

  /** What the payer signs. */
  static byte[] digest(Authorization authorization) {
    return digest(authorization.domain(), authorization.transfer().token(),
        fields(new Words().raw(TRANSFER_TYPE), authorization));
  }

  /** What the payer signs to take an authorization back. */
  static byte[] digest(AuthorizationCancellation cancellation) {
    return digest(cancellation.domain(), cancellation.token(), fields(new Words().raw(CANCEL_TYPE), cancellation));
  }

  private static byte[] digest(Authorization.Domain domain, Address token, Words struct) {
    var separator = Address.keccak256(new Words().raw(DOMAIN_TYPE).raw(hash(domain.name()))
        .raw(hash(domain.version())).number(domain.chainId()).address(token).toByteArray());
    return Address.keccak256(new Words().raw(new byte[]{0x19, 0x01}).raw(separator)
        .raw(Address.keccak256(struct.toByteArray())).toByteArray());
  }

  /** A signature as the token takes it: r, s and v, which is 27 or 28. */
  static Bytes signature(Secp256k1.Signature signature) {
    if (signature.recoveryId() > 1) {
      throw new IllegalArgumentException(
          "an authorization cannot carry a signature whose r overflowed the group order");
    }
    return Bytes.of(new Words().number(signature.r()).number(signature.s())
        .raw(new byte[]{(byte) (V_BASE + signature.recoveryId())}).toByteArray());
  }

  /** Whether the payer has signed. */
  static boolean isSigned(RelayIntent.Item item, Secp256k1 curve) {
    var digest = switch (item) {
      case RelayIntent.Payment(var _, var signed) -> digest(signed.authorization());
      case RelayIntent.Cancellation(var _, var signed) -> digest(signed.cancellation());
    };
    var bytes = signature(item);
    int recoveryId = bytes[2 * WORD] - V_BASE;
    var r = BigIntegers.fromUnsignedByteArray(bytes, 0, WORD);
    var s = BigIntegers.fromUnsignedByteArray(bytes, WORD, WORD);
    if (recoveryId < 0 || recoveryId > 1 || r.signum() == 0 || r.compareTo(Secp256k1.N) >= 0 || s.signum() == 0
        || s.compareTo(Secp256k1.HALF_N) > 0) {
      return false;
    }
    return curve.recover(digest, new Secp256k1.Signature(r, s, recoveryId)).equals(Optional.of(item.from()));
  }

  private static byte[] signature(RelayIntent.Item item) {
    return (switch (item) {
      case RelayIntent.Payment(var _, var signed) -> signed.signature();
      case RelayIntent.Cancellation(var _, var signed) -> signed.signature();
    }).toByteArray();
  }

  /**
   * The call {@code aggregate3} of Multicall3 with one {@code transferWithAuthorization} or {@code cancelAuthorization} for each item,
   * each of which may fail.
   */
  static byte[] calldata(RelayIntent batch) {
    int count = batch.items().size();
    var out = new Words().raw(AGGREGATE).number(WORD).number(count);
    var calls = batch.items().stream().map(Eip3009::call).toList();
    long offset = (long) count * WORD;
    for (var call : calls) {
      out.number(offset);
      offset += ITEM_HEAD_BYTES + padded(call.length);
    }
    for (var call : calls) {
      out.address(batch.items().getFirst().token()).number(1).number(3L * WORD).number(call.length).raw(call)
          .raw(new byte[padded(call.length) - call.length]);
    }
    return out.toByteArray();
  }

  /** As many bytes as these take in whole words. */
  private static int padded(int bytes) {
    return (bytes + WORD - 1) / WORD * WORD;
  }

  private static byte[] call(RelayIntent.Item item) {
    var signature = signature(item);
    var fields = switch (item) {
      case RelayIntent.Payment(var _, var signed) -> fields(new Words().raw(TRANSFER), signed.authorization());
      case RelayIntent.Cancellation(var _, var signed) -> fields(new Words().raw(CANCEL), signed.cancellation());
    };
    return fields.number(signature[2 * WORD]).raw(Arrays.copyOf(signature, 2 * WORD)).toByteArray();
  }

  private static Words fields(Words out, Authorization authorization) {
    return out.address(authorization.from()).address(authorization.transfer().payee())
        .number(authorization.transfer().amount()).number(0).number(authorization.validBefore())
        .raw(authorization.nonce().bytes());
  }

  private static Words fields(Words out, AuthorizationCancellation cancellation) {
    return out.address(cancellation.from()).raw(cancellation.nonce().bytes());
  }

  private static byte[] hash(String text) {
    return Address.keccak256(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Words of 32 bytes, one after the other, as the contract ABI and EIP-712 lay out static values. */
  private static final class Words {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(512);

    Words raw(byte[] bytes) {
      out.writeBytes(bytes);
      return this;
    }

    Words number(long value) {
      return number(BigInteger.valueOf(value));
    }

    Words number(BigInteger value) {
      return raw(BigIntegers.asUnsignedByteArray(WORD, value));
    }

    Words address(Address address) {
      return raw(new byte[WORD - Address.BYTES]).raw(address.bytes());
    }

    byte[] toByteArray() {
      return out.toByteArray();
    }
  }
}
