package io.bursar.api.simulation;

import java.math.BigInteger;
import java.security.SignatureException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

import org.web3j.crypto.Keys;
import org.web3j.crypto.Sign;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import io.bursar.permit.RelayIntent;

/** What a transaction asks of the chain, read from its bytes as the contracts would read them. */
sealed interface Action {
  /** The sender pays. */
  record Transfer(Address payee, BigInteger amount) implements Action {}

  /** Many authorizations, each of which may fail by itself. */
  record Batch(List<Call> calls) implements Action {
    public Batch {
      calls = List.copyOf(calls);
    }
  }

  /** One relayer sends coins of the chain to another. */
  record Refill(Address to, BigInteger coins) implements Action {}

  /** The sender's nonce is gone, and nothing else has happened. */
  record Nothing() implements Action {}

  /** Somebody else's, who has the key. */
  record Foreign() implements Action {}

  /** One call of a batch to the token, with a signature that the payer has given. */
  sealed interface Call {
    Address payer();

    Digest32 nonce();
  }

  /** The payer pays, unless the authorization is over or was seen before. */
  record Use(Address payer, Address payee, BigInteger amount, long validBefore, Digest32 nonce) implements Call {}

  /** From now on the authorization counts as seen. */
  record TakeBack(Address payer, Digest32 nonce) implements Call {}

  /**
   * Reads what is asked of whom.
   *
   * @param coins of the chain that go with it, in wei
   */
  static Action read(Address from, Address to, BigInteger coins, byte[] data, Token token) {
    boolean hasCoins = coins.signum() != 0;
    if (data.length == 0 && hasCoins != to.equals(from)) {
      return hasCoins ? new Refill(to, coins) : new Nothing();
    }
    if (data.length == 0 || hasCoins) {
      throw new IllegalArgumentException("coins that go with a call or to their owner, or a call of nothing");
    }
    var words = new Words(data, 4);
    return to.equals(RelayIntent.MULTICALL)
        ? new Batch(calls(words, token))
        : new Transfer(words.address(0), words.number(1));
  }

  /** {@code aggregate3((address,bool,bytes)[])}: where the array is, how many there are, and where each of them is. */
  private static List<Call> calls(Words words, Token token) {
    int count = words.number(1).intValueExact();
    var calls = new ArrayList<Call>();
    for (int i = 0; i < count; i++) {
      int at = 2 + words.number(2 + i).intValueExact() / Words.BYTES;
      if (!words.address(at).equals(token.address)) {
        throw new IllegalArgumentException("a call of something else than the token");
      }
      int bytes = words.number(at + 3).intValueExact();
      calls.add(token.call(words.bytes(at + 4, bytes)));
    }
    return calls;
  }

  /**
   * The token's side of EIP-3009: it takes what the payer has signed.
   *
   * @param separator of its domain, as EIP-712 has it
   */
  record Token(Address address, byte[] separator) {
    private static final byte[] USE_TYPE = hash("TransferWithAuthorization(address from,address to,uint256 value,"
        + "uint256 validAfter,uint256 validBefore,bytes32 nonce)");
    private static final byte[] CANCEL_TYPE = hash("CancelAuthorization(address authorizer,bytes32 nonce)");
    private static final int USE = 0xe3ee160e;
    private static final int USE_WORDS = 6;
    private static final int CANCEL_WORDS = 2;

    /** A token with a name and a version on a chain. */
    static Token of(Address address, String name, String version, long chainId) {
      return new Token(address, Address.keccak256(join(
          hash("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"), hash(name),
          hash(version), word(BigInteger.valueOf(chainId)), word(new BigInteger(1, address.bytes())))));
    }

    private Call call(byte[] data) {
      var words = new Words(data, 4);
      boolean uses = java.nio.ByteBuffer.wrap(data).getInt() == USE;
      int fields = uses ? USE_WORDS : CANCEL_WORDS;
      var call = uses
          ? new Use(words.address(0), words.address(1), words.number(2), words.number(4).longValueExact(),
              Digest32.of(words.word(5)))
          : new TakeBack(words.address(0), Digest32.of(words.word(1)));
      var struct = Address.keccak256(join(uses ? USE_TYPE : CANCEL_TYPE, words.bytes(0, fields * Words.BYTES)));
      var digest = Address.keccak256(join(new byte[]{0x19, 0x01}, separator, struct));
      if (!signer(digest, words, fields).equals(call.payer())) {
        throw new IllegalArgumentException("a call that its payer has not signed");
      }
      return call;
    }

    private static Address signer(byte[] digest, Words words, int at) {
      try {
        var signature = new Sign.SignatureData((byte) words.number(at).intValueExact(), words.word(at + 1),
            words.word(at + 2));
        return Address.parse("0x" + Keys.getAddress(Sign.signedMessageHashToKey(digest, signature)));
      } catch (SignatureException e) {
        throw new IllegalArgumentException("a signature of nobody", e);
      }
    }

    private static byte[] hash(String text) {
      return Address.keccak256(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    private static byte[] word(BigInteger value) {
      return HexFormat.of().parseHex(String.format(java.util.Locale.ROOT, "%064x", value));
    }

    private static byte[] join(byte[]... parts) {
      var out = new java.io.ByteArrayOutputStream();
      for (var part : parts) {
        out.writeBytes(part);
      }
      return out.toByteArray();
    }
  }

  /** Words of 32 bytes after a function's selector. */
  record Words(byte[] data, int from) {
    private static final int BYTES = 32;

    byte[] word(int index) {
      return bytes(index, BYTES);
    }

    byte[] bytes(int index, int length) {
      int begin = from + index * BYTES;
      if (begin + length > data.length) {
        throw new IllegalArgumentException("calldata that ends within a value");
      }
      return Arrays.copyOfRange(data, begin, begin + length);
    }

    BigInteger number(int index) {
      return new BigInteger(1, word(index));
    }

    Address address(int index) {
      return Address.of(Arrays.copyOfRange(word(index), BYTES - Address.BYTES, BYTES));
    }
  }
}
