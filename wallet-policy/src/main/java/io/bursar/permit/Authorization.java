package io.bursar.permit;

import java.math.BigInteger;

import io.bursar.money.Address;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/**
 * An EIP-3009 {@code TransferWithAuthorization}: whoever takes it to the token before its time is over has the token move exactly
 * this, once. It is good from the beginning of time ({@code validAfter} is 0).
 *
 * @param domain of the token
 * @param from who pays
 * @param transfer what moves
 * @param validBefore seconds since 1970: in a block of this time or a later one the token refuses it
 * @param nonce random; the token keeps for each payer which were used or canceled
 * @see <a href="https://eips.ethereum.org/EIPS/eip-3009">EIP-3009</a>
 */
public record Authorization(Domain domain, Address from, Transfer transfer, long validBefore, Digest32 nonce) {
  /** The end of the year 9999. */
  private static final long LATEST = 253_402_300_799L;

  public Authorization {
    if (validBefore < 1 || validBefore > LATEST) {
      throw new IllegalArgumentException("valid before must be a second from 1970 to 9999, not `" + validBefore + "`");
    }
  }

  /**
   * How a token tells its signatures from those of other tokens, beside its address (EIP-712).
   *
   * @param chainId EIP-155 chain id, 1 to 2^53 − 1
   * @param name as the token's contract says, 1 to 64 bytes of printable ASCII
   * @param version as the token's contract says, 1 to 16 bytes of printable ASCII
   */
  public record Domain(long chainId, String name, String version) {
    private static final int NAME_MAX = 64;
    private static final int VERSION_MAX = 16;

    public Domain {
      NonceSlot.requireChainId(chainId);
      require("name", name, NAME_MAX);
      require("version", version, VERSION_MAX);
    }

    private static void require(String what, String text, int most) {
      if (text.isEmpty() || text.length() > most || !text.chars().allMatch(c -> c >= ' ' && c <= '~')) {
        throw new IllegalArgumentException(
            "the " + what + " of a token's domain must be 1 to " + most + " printable ASCII characters");
      }
    }
  }

  /**
   * An authorization and the payer's signature.
   *
   * @param signature 65 bytes: r (32), s (32), v (1), which is 27 or 28
   */
  public record Signed(Authorization authorization, Bytes signature) {
    /** Length of a signature in bytes. */
    public static final int SIGNATURE_BYTES = 65;

    public Signed {
      requireSize(signature);
    }

    static void requireSize(Bytes signature) {
      if (signature.size() != SIGNATURE_BYTES) {
        throw new IllegalArgumentException("an authorization's signature has 65 bytes, not " + signature.size());
      }
    }
  }

  /** What differs between the authorizations of one token: payer, payee, amount, time and nonce. */
  void writeOwn(WireWriter out) {
    out.address(from).address(transfer.payee()).unsigned(transfer.amount(), TransferIntent.AMOUNT_BYTES)
        .i64(validBefore)
        .digest(nonce);
  }

  static Authorization readOwn(WireReader in, Domain domain, Address token) {
    var from = in.address();
    var payee = in.address();
    BigInteger amount = in.unsigned(TransferIntent.AMOUNT_BYTES);
    return new Authorization(domain, from, new Transfer(token, payee, amount), in.i64(), in.digest());
  }

  /** What the authorizations of one token have in common: chain, name, version and contract. */
  static void writeToken(WireWriter out, Domain domain, Address token) {
    out.i64(domain.chainId).text(domain.name).text(domain.version).address(token);
  }

  static Domain readDomain(WireReader in) {
    return new Domain(in.i64(), in.text(), in.text());
  }
}
