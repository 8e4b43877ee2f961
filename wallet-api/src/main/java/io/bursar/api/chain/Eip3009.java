package io.bursar.api.chain;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

import org.web3j.abi.EventEncoder;
import org.web3j.abi.FunctionEncoder;
import org.web3j.abi.TypeEncoder;
import org.web3j.abi.TypeReference;
import org.web3j.abi.datatypes.Event;
import org.web3j.abi.datatypes.Function;
import org.web3j.abi.datatypes.generated.Bytes32;
import org.web3j.abi.datatypes.generated.Uint256;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.permit.Authorization;
import io.bursar.permit.Digest32;
import tools.jackson.databind.JsonNode;

/**
 * What a token says of authorizations.
 *
 * @see <a href="https://eips.ethereum.org/EIPS/eip-3009">EIP-3009</a>
 */
public final class Eip3009 {
  private static final TypeReference<org.web3j.abi.datatypes.Address> INDEXED_ADDRESS = new TypeReference<>(true) {
  };
  private static final TypeReference<Bytes32> INDEXED_NONCE = new TypeReference<>(true) {
  };
  private static final String USED = topic("AuthorizationUsed");
  private static final String CANCELED = topic("AuthorizationCanceled");
  private static final Address NOBODY = Address.of(new byte[Address.BYTES]);
  /** Nodes refuse to search more blocks at once. */
  private static final int LOG_BLOCKS = 10_000;

  private Eip3009() {}

  /** What became of an authorization that the token has seen. */
  public sealed interface Outcome {
    /** It was used, by this transaction. */
    record Used(Digest32 transactionHash) implements Outcome {}

    /** Its payer has taken it back, by this transaction. */
    record Canceled(Digest32 transactionHash) implements Outcome {}
  }

  /**
   * The token's domain, if it takes authorizations: it answers {@code authorizationState}, and the separator that it names is the one
   * of its name, version, chain and address.
   */
  public static Optional<Authorization.Domain> domain(Chain chain, Address token) throws ChainUnavailable {
    var state = chain.call(token, authorizationState(NOBODY, Digest32.sha256()), "latest");
    var name = Erc20.text(chain.call(token, encode("name"), "latest"));
    var version = Erc20.text(chain.call(token, encode("version"), "latest"));
    var separator = chain.call(token, encode("DOMAIN_SEPARATOR"), "latest");
    if (state.length() != 66 || name == null || version == null) {
      return Optional.empty();
    }
    try {
      var domain = new Authorization.Domain(Asset.chainId(chain.name()), name, version);
      return separator.equals("0x" + separator(domain, token)) ? Optional.of(domain) : Optional.empty();
    } catch (IllegalArgumentException unusual) {
      return Optional.empty(); // such as a name that is not printable: it is paid by transfers
    }
  }

  /** Whether the token has seen the authorization, used or canceled, by the end of a block. */
  public static boolean isSeen(Chain chain, Authorization authorization, long block) throws ChainUnavailable {
    return isSeen(chain, authorization.transfer().token(), authorization.from(), authorization.nonce(), block);
  }

  /** As above, of a payer's authorization of this nonce. */
  public static boolean isSeen(Chain chain, Address token, Address payer, Digest32 nonce, long block)
      throws ChainUnavailable {
    var state = Erc20.number(chain.call(token, authorizationState(payer, nonce), "0x" + Long.toHexString(block)));
    if (state == null) {
      throw new ChainUnavailable("`" + token + "` does not answer as a token does");
    }
    return state.signum() != 0;
  }

  /**
   * What the token's events say of an authorization; empty if they say nothing.
   *
   * @param first and {@code last}: of the blocks that are searched, both inclusive
   */
  public static Optional<Outcome> outcome(Chain chain, Authorization authorization, long first, long last)
      throws ChainUnavailable {
    var nonce = "0x" + authorization.nonce();
    for (long from = first; from <= last; from += LOG_BLOCKS) {
      var filter = chain.newObject().put("address", authorization.transfer().token().toString())
          .put("fromBlock", "0x" + Long.toHexString(from))
          .put("toBlock", "0x" + Long.toHexString(Math.min(last, from + LOG_BLOCKS - 1)));
      var topics = filter.putArray("topics");
      topics.addArray().add(USED).add(CANCELED);
      topics.add("0x" + TypeEncoder.encode(abi(authorization.from()))).add("0x" + authorization.nonce());
      for (var log : chain.required("eth_getLogs", filter)) {
        boolean used = isAbout(log, USED, authorization, nonce);
        if (used || isAbout(log, CANCELED, authorization, nonce)) {
          var hash = log.path("transactionHash").asString("");
          if (!hash.matches("0x[0-9a-fA-F]{64}")) {
            throw new ChainUnavailable("the node's answer to eth_getLogs is not what it should be");
          }
          var by = Digest32.of(HexFormat.of().parseHex(hash, 2, hash.length()));
          return Optional.of(used ? new Outcome.Used(by) : new Outcome.Canceled(by));
        }
      }
    }
    return Optional.empty();
  }

  /**
   * Whether a receipt shows that the authorization was used in its transaction and moved what it says. The events of one authorization
   * follow each other, so that its transfer is not taken for another one's of the same amount.
   */
  public static boolean isPaid(Receipt receipt, Authorization authorization) {
    boolean used = false;
    var nonce = "0x" + authorization.nonce();
    var transfer = authorization.transfer();
    for (var log : receipt.logs()) {
      if (used && Erc20.isTransfer(log, transfer.token(), authorization.from(), transfer.payee(), transfer.amount())) {
        return true;
      }
      used = isAbout(log, USED, authorization, nonce);
    }
    return false;
  }

  /** Whether a receipt shows that the authorization was canceled in its transaction. */
  public static boolean isCanceled(Receipt receipt, Authorization authorization) {
    var nonce = "0x" + authorization.nonce();
    for (var log : receipt.logs()) {
      if (isAbout(log, CANCELED, authorization, nonce)) {
        return true;
      }
    }
    return false;
  }

  /** When a block was made, in seconds since 1970. */
  public static long time(Chain chain, long block) throws ChainUnavailable {
    var time = chain.required("eth_getBlockByNumber", "0x" + Long.toHexString(block), false).path("timestamp")
        .asString("");
    if (!time.matches("0x[0-9a-fA-F]{1,10}")) {
      throw new ChainUnavailable("the node's answer to eth_getBlockByNumber is not what it should be");
    }
    return Long.parseLong(time.substring(2), 16);
  }

  /** Whether there is a contract at an address. */
  public static boolean isContract(Chain chain, Address address) throws ChainUnavailable {
    return chain.required("eth_getCode", address.toString(), "latest").asString("").length() > 2;
  }

  /** The nonce is looked at first: of a batch's many events it tells nearly all apart. */
  private static boolean isAbout(JsonNode log, String event, Authorization authorization, String nonce) {
    var topics = log.path("topics");
    return topics.size() == 3 && topics.get(2).asString("").equalsIgnoreCase(nonce)
        && topics.get(0).asString("").equalsIgnoreCase(event)
        && topics.get(1).asString("").equalsIgnoreCase("0x" + TypeEncoder.encode(abi(authorization.from())))
        && log.path("address").asString("").equalsIgnoreCase(authorization.transfer().token().toString());
  }

  private static String separator(Authorization.Domain domain, Address token) {
    var words = new java.io.ByteArrayOutputStream();
    for (var text : List.of("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
        domain.name(),
        domain.version())) {
      words.writeBytes(Address.keccak256(text.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
    }
    var rest = TypeEncoder.encode(new Uint256(BigInteger.valueOf(domain.chainId()))) + TypeEncoder.encode(abi(token));
    words.writeBytes(HexFormat.of().parseHex(rest));
    return HexFormat.of().formatHex(Address.keccak256(words.toByteArray()));
  }

  private static String authorizationState(Address payer, Digest32 nonce) {
    return FunctionEncoder
        .encode(new Function("authorizationState", List.of(abi(payer), new Bytes32(nonce.bytes())), List.of()));
  }

  private static String encode(String function) {
    return FunctionEncoder.encode(new Function(function, List.of(), List.of()));
  }

  private static String topic(String event) {
    return EventEncoder.encode(new Event(event, Arrays.asList(INDEXED_ADDRESS, INDEXED_NONCE)));
  }

  private static org.web3j.abi.datatypes.Address abi(Address address) {
    return new org.web3j.abi.datatypes.Address("0x" + HexFormat.of().formatHex(address.bytes()));
  }
}
