package io.bursar.api.chain;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

import io.bursar.money.Address;
import io.bursar.store.Deposits.Arrival;
import io.bursar.store.Deposits.Place;
import tools.jackson.databind.JsonNode;

/** What has come to accounts, by the {@code Transfer} events of tokens. */
public final class Arrivals {
  /** The most accounts that are asked about at once. */
  public static final int ACCOUNTS_MAX = 500;

  private Arrivals() {}

  /**
   * What came to accounts in these blocks from others, in their order. A node that refuses to search so many blocks at once is asked for
   * ever fewer.
   *
   * @param accounts {@value #ACCOUNTS_MAX} at most
   * @param first and {@code last}: of the blocks, both inclusive
   */
  public static List<Arrival> between(Chain chain, Collection<Address> tokens, Collection<Address> accounts, long first,
      long last) throws ChainUnavailable {
    var arrivals = new ArrayList<Arrival>();
    long from = first;
    long span = last - first + 1;
    while (from <= last && !tokens.isEmpty() && !accounts.isEmpty()) {
      long to = Math.min(last, from + span - 1);
      try {
        arrivals.addAll(read(chain, tokens, accounts, from, to));
        from = to + 1;
      } catch (ChainUnavailable e) {
        if (to == from || e.isWrongChain()) {
          throw e;
        }
        span = (to - from + 1) / 2;
      }
    }
    return arrivals;
  }

  private static List<Arrival> read(Chain chain, Collection<Address> tokens, Collection<Address> accounts, long first,
      long last) throws ChainUnavailable {
    var filter = chain.newObject().put("fromBlock", NodeJson.quantity(first)).put("toBlock", NodeJson.quantity(last));
    var addresses = filter.putArray("address");
    tokens.forEach(token -> addresses.add(NodeJson.hex(token)));
    var topics = filter.putArray("topics");
    topics.add(Erc20.TRANSFER_TOPIC).addNull();
    var payees = topics.addArray();
    accounts.forEach(account -> payees.add(Erc20.topic(account)));
    var arrivals = new ArrayList<Arrival>();
    for (var log : chain.required("eth_getLogs", filter)) {
      var arrival = arrival(log);
      if (arrival.isPresent() && tokens.contains(arrival.get().token()) && accounts.contains(arrival.get().payee())
          && arrival.get().place().block() >= first && arrival.get().place().block() <= last) {
        arrivals.add(arrival.get());
      }
    }
    return arrivals;
  }

  /** What an event says; nothing if it is no transfer, of nothing, to oneself, or of a block that is gone. */
  private static Optional<Arrival> arrival(JsonNode log) throws ChainUnavailable {
    var method = "eth_getLogs";
    var topics = log.path("topics");
    var data = log.path("data").asString("");
    if (log.path("removed").asBoolean(false) || topics.size() != 3 || !data.matches("0x[0-9a-fA-F]{64}")
        || !topics.get(0).asString("").equalsIgnoreCase(Erc20.TRANSFER_TOPIC)) {
      return Optional.empty();
    }
    var payer = address(topics.get(1));
    var payee = address(topics.get(2));
    var amount = new BigInteger(data.substring(2), 16);
    return amount.signum() == 0 || payer.equals(payee)
        ? Optional.empty()
        : Optional.of(new Arrival(token(log), payer, payee, amount,
            new Place(NodeJson.longNumber(log.path("blockNumber"), method),
                NodeJson.hash(log.path("blockHash"), method),
                NodeJson.hash(log.path("transactionHash"), method)),
            NodeJson.longNumber(log.path("logIndex"), method)));
  }

  private static Address address(JsonNode topic) throws ChainUnavailable {
    var word = topic.asString("").toLowerCase(Locale.ROOT);
    if (!word.matches("0x0{24}[0-9a-f]{40}")) {
      throw NodeJson.unusable("eth_getLogs");
    }
    return Address.of(HexFormat.of().parseHex(word, word.length() - 2 * Address.BYTES, word.length()));
  }

  private static Address token(JsonNode log) throws ChainUnavailable {
    var text = log.path("address").asString("");
    if (!text.matches("0x[0-9a-fA-F]{40}")) {
      throw NodeJson.unusable("eth_getLogs");
    }
    return Address.of(HexFormat.of().parseHex(text, 2, text.length()));
  }
}
