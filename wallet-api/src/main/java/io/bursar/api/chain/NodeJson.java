package io.bursar.api.chain;

import java.math.BigInteger;
import java.util.HexFormat;

import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import tools.jackson.databind.JsonNode;

/** How numbers, hashes and addresses stand in what is said to a node and in its answers: the quantities and data of Ethereum's JSON-RPC. */
final class NodeJson {
  private NodeJson() {}

  static BigInteger number(JsonNode quantity, String method) throws ChainUnavailable {
    var text = quantity.asString("");
    if (!text.matches("0x[0-9a-fA-F]{1,64}")) {
      throw unusable(method);
    }
    return new BigInteger(text.substring(2), 16);
  }

  static long longNumber(JsonNode quantity, String method) throws ChainUnavailable {
    var number = number(quantity, method);
    if (number.bitLength() > 62) {
      throw unusable(method);
    }
    return number.longValueExact();
  }

  static Digest32 hash(JsonNode text, String method) throws ChainUnavailable {
    var hash = text.asString("");
    if (!hash.matches("0x[0-9a-fA-F]{64}")) {
      throw unusable(method);
    }
    return Digest32.of(HexFormat.of().parseHex(hash, 2, hash.length()));
  }

  static ChainUnavailable unusable(String method) {
    return new ChainUnavailable("the node's answer to " + method + " is not what it should be");
  }

  static String hex(Address address) {
    return "0x" + HexFormat.of().formatHex(address.bytes());
  }

  static String quantity(long number) {
    return "0x" + Long.toHexString(number);
  }
}
