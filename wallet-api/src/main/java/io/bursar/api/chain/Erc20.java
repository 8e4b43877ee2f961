package io.bursar.api.chain;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

import org.web3j.abi.EventEncoder;
import org.web3j.abi.FunctionEncoder;
import org.web3j.abi.FunctionReturnDecoder;
import org.web3j.abi.TypeEncoder;
import org.web3j.abi.TypeReference;
import org.web3j.abi.datatypes.Event;
import org.web3j.abi.datatypes.Function;
import org.web3j.abi.datatypes.Type;
import org.web3j.abi.datatypes.Utf8String;
import org.web3j.abi.datatypes.generated.Bytes32;
import org.web3j.abi.datatypes.generated.Uint256;
import org.web3j.abi.datatypes.generated.Uint8;

import io.bursar.money.Address;
import tools.jackson.databind.JsonNode;

/**
 * The calls and the one event of a token that are used here.
 *
 * @see <a href="https://eips.ethereum.org/EIPS/eip-20">ERC-20</a>
 */
final class Erc20 {
  private static final TypeReference<org.web3j.abi.datatypes.Address> INDEXED_ADDRESS = new TypeReference<>(true) {
  };
  private static final TypeReference<Uint256> AMOUNT = new TypeReference<>() {
  };
  static final String TRANSFER_TOPIC = EventEncoder
      .encode(new Event("Transfer", List.of(INDEXED_ADDRESS, INDEXED_ADDRESS, AMOUNT)));

  private Erc20() {}

  static String transfer(Address payee, BigInteger amount) {
    return FunctionEncoder.encode(new Function("transfer", List.of(abi(payee), new Uint256(amount)), List.of()));
  }

  static String balanceOf(Address account) {
    return FunctionEncoder.encode(new Function("balanceOf", List.of(abi(account)), List.of()));
  }

  static String decimals() {
    return FunctionEncoder.encode(new Function("decimals", List.of(), List.of()));
  }

  static String symbol() {
    return FunctionEncoder.encode(new Function("symbol", List.of(), List.of()));
  }

  /** The whole number that a call returned, or null if it returned something else. */
  static @org.jspecify.annotations.Nullable BigInteger number(String returned) {
    return returned.length() == 66 && decode(returned, AMOUNT) instanceof Uint256 number ? number.getValue() : null;
  }

  static @org.jspecify.annotations.Nullable BigInteger smallNumber(String returned) {
    return returned.length() == 66 && decode(returned, new TypeReference<Uint8>() {
    }) instanceof Uint8 number
        ? number.getValue()
        : null;
  }

  /** The text that a call returned: a string, or, from old tokens, 32 bytes padded with zeros; null if it is neither. */
  static @org.jspecify.annotations.Nullable String text(String returned) {
    if (returned.length() == 66) {
      if (!(decode(returned, new TypeReference<Bytes32>() {
      }) instanceof Bytes32 padded)) {
        return null;
      }
      var bytes = padded.getValue();
      int length = 0;
      while (length < bytes.length && bytes[length] != 0) {
        length++;
      }
      return new String(Arrays.copyOf(bytes, length), java.nio.charset.StandardCharsets.UTF_8);
    }
    return decode(returned, new TypeReference<Utf8String>() {
    }) instanceof Utf8String text ? text.getValue() : null;
  }

  @SuppressWarnings("rawtypes")
  private static @org.jspecify.annotations.Nullable Type decode(String returned,
      TypeReference<? extends Type> expected) {
    try {
      var values = FunctionReturnDecoder.decode(returned, org.web3j.abi.Utils.convert(List.of(expected)));
      return values.isEmpty() ? null : values.getFirst();
    } catch (RuntimeException notAsExpected) {
      return null; // the decoder throws whatever its arrays throw
    }
  }

  /** Whether a log entry of a receipt says that the token moved exactly this. */
  static boolean isTransfer(JsonNode log, Address token, Address from, Address payee, BigInteger amount) {
    var topics = log.path("topics");
    return hex(log.path("address")).equals(HexFormat.of().formatHex(token.bytes())) && topics.size() == 3
        && ("0x" + hex(topics.get(0))).equals(TRANSFER_TOPIC)
        && ("0x" + hex(topics.get(1))).equals(topic(from)) && ("0x" + hex(topics.get(2))).equals(topic(payee))
        && hex(log.path("data")).equals(TypeEncoder.encode(new Uint256(amount)));
  }

  /** An account as an event names it. */
  static String topic(Address account) {
    return "0x" + TypeEncoder.encode(abi(account));
  }

  private static String hex(JsonNode text) {
    var value = text.asString("");
    return value.startsWith("0x") ? value.substring(2).toLowerCase(java.util.Locale.ROOT) : "";
  }

  private static org.web3j.abi.datatypes.Address abi(Address address) {
    return new org.web3j.abi.datatypes.Address("0x" + HexFormat.of().formatHex(address.bytes()));
  }
}
