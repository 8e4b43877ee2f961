package io.bursar.api.chain;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.TransferIntent.Transfer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * One EVM chain as its nodes tell it. A node that answers for another chain is not asked anything: its chain id is checked before
 * the first question and again after every loss of contact.
 */
public final class Chain implements AutoCloseable {
  /** A block that the node has. */
  public record Block(long number, Digest32 hash) {}

  /**
   * How the chain stands to transfers that are sent now.
   *
   * @param tokens of the payer, in base units
   * @param coins of the payer, in wei
   * @param gas what each of them would take
   */
  public record Outlook(BigInteger tokens, BigInteger coins, List<GasEstimate> gas) {}

  /** What a transfer would take. */
  public sealed interface GasEstimate {
    /** Units of gas, with a margin. */
    record Limit(long units) implements GasEstimate {}

    /** It would fail as things stand, for the reason that the node gave. */
    record WouldFail(String message) implements GasEstimate {}
  }

  /** What a contract says of itself as a token. */
  public record Token(String symbol, int decimals) {}

  private static final String LATEST = "latest";
  private static final String SEND = "eth_sendRawTransaction";
  private static final String RECEIPT = "eth_getTransactionReceipt";
  /** How many recent blocks the usual priority fee is taken from. */
  private static final int FEE_BLOCKS = 10;
  private static final int MEDIAN = 50;
  /** Nodes refuse to search more blocks at once. */
  private static final int LOG_BLOCKS = 10_000;

  private final ChainSettings settings;
  private final Rpc rpc;

  public Chain(ChainSettings settings) {
    this(settings, new FreshAnswers(new Nodes(settings.name(), settings.endpoints(), settings.timeout())));
  }

  /** A chain that is asked in another way than through the endpoints of its settings. */
  public Chain(ChainSettings settings, Rpc rpc) {
    this.settings = settings;
    this.rpc = rpc;
  }

  public String name() {
    return settings.name();
  }

  /** What can be said of each of its nodes. */
  public List<NodeStatus> nodes() {
    return rpc.nodes();
  }

  /** Looks at nodes that nobody has asked of late: whether they are well, and how far they are. */
  public void look() {
    rpc.look();
  }

  public FeePolicy fees() {
    return settings.fees();
  }

  /**
   * The market for gas.
   *
   * @param baseFee what the next block will ask for, in wei for a unit of gas
   * @param offer what to offer for a transaction that is sent now
   */
  public record Quote(BigInteger baseFee, FeePolicy.Fees offer) {
    /** Whether a transaction with this offer could be mined now; if not, the base fee is above the cap. */
    public boolean isEnough() {
      return offer.maxFeePerGas().compareTo(baseFee) >= 0;
    }
  }

  /** Asks for the market of the last few blocks. */
  public Quote quote() throws ChainUnavailable {
    var method = "eth_feeHistory";
    var history = required(method, NodeJson.quantity(FEE_BLOCKS), LATEST, List.of(MEDIAN));
    var baseFees = history.path("baseFeePerGas");
    var priorities = new ArrayList<BigInteger>();
    for (var block : history.path("reward")) {
      priorities.add(NodeJson.number(block.path(0), method));
    }
    priorities.sort(null);
    var usual = priorities.isEmpty() ? BigInteger.ZERO : priorities.get(priorities.size() / 2);
    var baseFee = NodeJson.number(baseFees.path(baseFees.size() - 1), method);
    return new Quote(baseFee, settings.fees().offer(baseFee, usual));
  }

  /** What ERC-20 transfers of one token would need now and what there is for them, all asked about together. */
  public Outlook outlook(Address from, List<Transfer> transfers) throws ChainUnavailable {
    var token = transfers.getFirst().token();
    var questions = new ArrayList<>(List.of(balanceQuestion(token, from, LATEST),
        Rpc.Question.of("eth_getBalance", NodeJson.hex(from), LATEST)));
    for (var transfer : transfers) {
      questions.add(
          Rpc.Question.of("eth_estimateGas", newObject().put("from", NodeJson.hex(from)).put("to", NodeJson.hex(token))
              .put("data", Erc20.transfer(transfer.payee(), transfer.amount())), LATEST));
    }
    var replies = askTogether(questions);
    var gas = new ArrayList<GasEstimate>();
    for (var reply : replies.subList(2, replies.size())) {
      gas.add(estimate(reply));
    }
    return new Outlook(balance(token, replies.get(0).returned()),
        NodeJson.number(replies.get(1).result("eth_getBalance"), "eth_getBalance"), gas);
  }

  /** With a quarter more: the token's storage may change before it is mined. */
  private GasEstimate estimate(RpcReply reply) throws ChainUnavailable {
    return switch (reply) {
      case RpcReply.Result(var value) -> {
        var units = NodeJson.number(value, "eth_estimateGas");
        long limit = units.bitLength() > 40 ? Long.MAX_VALUE : units.longValueExact() * 5 / 4;
        yield limit > settings.fees().gasLimitCap()
            ? new GasEstimate.WouldFail(
                "it would take more than the cap of " + settings.fees().gasLimitCap() + " units of gas")
            : new GasEstimate.Limit(limit);
      }
      case RpcReply.Refusal(var _, var message) -> new GasEstimate.WouldFail(message);
      case RpcReply.Silence(var message, var _) -> throw new ChainUnavailable(message);
    };
  }

  /** Gives a signed transaction to the node. */
  public SendResult send(Bytes raw) {
    try {
      return SendResult.of(ask(SEND, "0x" + raw));
    } catch (ChainUnavailable e) {
      return new SendResult.Unknown(String.valueOf(e.getMessage()));
    }
  }

  /** Gives signed transactions to the node, all together, in their order. */
  public List<SendResult> send(List<Bytes> raws) {
    try {
      return askTogether(raws.stream().map(raw -> Rpc.Question.of(SEND, "0x" + raw)).toList())
          .stream().map(SendResult::of).toList();
    } catch (ChainUnavailable e) {
      return raws.stream().<SendResult>map(_ -> new SendResult.Unknown(String.valueOf(e.getMessage()))).toList();
    }
  }

  /** The receipt of a transaction, if it is in a block. */
  public Optional<Receipt> receipt(Digest32 transactionHash) throws ChainUnavailable {
    return receipt(transactionHash, required(RECEIPT, "0x" + transactionHash));
  }

  /** The receipts of those of these transactions that are in a block, all asked about together. */
  public Map<Digest32, Receipt> receipts(List<Digest32> transactionHashes) throws ChainUnavailable {
    var replies = askTogether(transactionHashes.stream().map(hash -> Rpc.Question.of(RECEIPT, "0x" + hash)).toList());
    var receipts = new HashMap<Digest32, Receipt>();
    for (int i = 0; i < replies.size(); i++) {
      var hash = transactionHashes.get(i);
      receipt(hash, replies.get(i).result(RECEIPT)).ifPresent(receipt -> receipts.put(hash, receipt));
    }
    return receipts;
  }

  private static Optional<Receipt> receipt(Digest32 transactionHash, JsonNode found) throws ChainUnavailable {
    var method = RECEIPT;
    if (found.isNull()) {
      return Optional.empty();
    }
    if (!NodeJson.hash(found.path("transactionHash"), method).equals(transactionHash)) {
      throw NodeJson.unusable(method);
    }
    var status = NodeJson.number(found.path("status"), method);
    return Optional.of(new Receipt(transactionHash, NodeJson.longNumber(found.path("blockNumber"), method),
        NodeJson.hash(found.path("blockHash"), method), status.equals(BigInteger.ONE),
        NodeJson.longNumber(found.path("gasUsed"), method), found.path("logs")));
  }

  /** The newest block's number. */
  public long head() throws ChainUnavailable {
    return NodeJson.longNumber(required("eth_blockNumber"), "eth_blockNumber");
  }

  /** The newest block that counts as settled, and with it all before it; below 0 while there is none. */
  public long settled() throws ChainUnavailable {
    return switch (settings.confirmation()) {
      case Confirmation.Depth(var blocks) -> head() - blocks + 1;
      case Confirmation.Finalized() -> block("finalized").map(Block::number).orElse(-1L);
    };
  }

  /** The block of a number in the chain as it is now. */
  public Optional<Block> block(long number) throws ChainUnavailable {
    return block(NodeJson.quantity(number));
  }

  /**
   * Whether every node has another block of that number. One that has none yet proves nothing.
   *
   * @throws ChainUnavailable if a single node is silent
   */
  public boolean isGone(long number, Digest32 hash) throws ChainUnavailable {
    var method = "eth_getBlockByNumber";
    for (var reply : rpc.callAll(method, NodeJson.quantity(number), false)) {
      var now = block(reply.result(method));
      if (now.isEmpty() || now.get().hash().equals(hash)) {
        return false;
      }
    }
    return true;
  }

  private Optional<Block> block(String which) throws ChainUnavailable {
    return block(required("eth_getBlockByNumber", which, false));
  }

  private static Optional<Block> block(JsonNode block) throws ChainUnavailable {
    var method = "eth_getBlockByNumber";
    return block.isNull()
        ? Optional.empty()
        : Optional.of(
            new Block(NodeJson.longNumber(block.path("number"), method), NodeJson.hash(block.path("hash"), method)));
  }

  /** How many transactions of the account the chain holds: its lowest nonce that is free. For looking back, never for allocating. */
  public long transactionCount(Address account) throws ChainUnavailable {
    return NodeJson.longNumber(required("eth_getTransactionCount", NodeJson.hex(account), LATEST),
        "eth_getTransactionCount");
  }

  /** As {@link #transactionCount(Address)}, at the end of a block. */
  public long transactionCount(Address account, long block) throws ChainUnavailable {
    return NodeJson.longNumber(required("eth_getTransactionCount", NodeJson.hex(account), NodeJson.quantity(block)),
        "eth_getTransactionCount");
  }

  /** What has become of a nonce, as far as no node contradicts. */
  public enum NonceUse {
    /** It is free, or one of our transactions has it, or a node is not sure yet. */
    OPEN,
    /** Another transaction has it. */
    TAKEN,
    /** Another transaction has it in a block that is settled, with another one on top. */
    TAKEN_FOR_GOOD
  }

  /**
   * Asks every node what has become of a nonce.
   *
   * @param ours the hashes of all transactions that we have signed for it
   * @throws ChainUnavailable if a single node is silent: then nothing is proven
   */
  public NonceUse nonceUse(Address account, long nonce, List<Digest32> ours) throws ChainUnavailable {
    // First the count and then the receipts: a transaction of ours that is mined meanwhile shows its receipt.
    if (lowestCount(account, LATEST) <= nonce) {
      return NonceUse.OPEN;
    }
    for (var hash : ours) {
      for (var reply : rpc.callAll(RECEIPT, "0x" + hash)) {
        if (!reply.result(RECEIPT).isNull()) {
          return NonceUse.OPEN;
        }
      }
    }
    long settled = settled() - 1;
    return settled >= 0 && lowestCount(account, NodeJson.quantity(settled)) > nonce
        ? NonceUse.TAKEN_FOR_GOOD
        : NonceUse.TAKEN;
  }

  private long lowestCount(Address account, String block) throws ChainUnavailable {
    long lowest = Long.MAX_VALUE;
    for (var reply : rpc.callAll("eth_getTransactionCount", NodeJson.hex(account), block)) {
      lowest = Math.min(lowest,
          NodeJson.longNumber(reply.result("eth_getTransactionCount"), "eth_getTransactionCount"));
    }
    return lowest;
  }

  /** The account's native coin, in wei. */
  public BigInteger balance(Address account) throws ChainUnavailable {
    return NodeJson.number(required("eth_getBalance", NodeJson.hex(account), LATEST), "eth_getBalance");
  }

  /** The account's amount of a token, in base units. */
  public BigInteger balanceOf(Address token, Address account) throws ChainUnavailable {
    return balanceOf(token, account, LATEST);
  }

  /** The account's amount of a token at the end of a block, in base units. */
  public BigInteger balanceOf(Address token, Address account, long block) throws ChainUnavailable {
    return balanceOf(token, account, NodeJson.quantity(block));
  }

  private BigInteger balanceOf(Address token, Address account, String block) throws ChainUnavailable {
    return balance(token, callContract(token, Erc20.balanceOf(account), block));
  }

  private Rpc.Question balanceQuestion(Address token, Address account, String block) {
    return callQuestion(token, Erc20.balanceOf(account), block);
  }

  private static BigInteger balance(Address token, String returned) throws ChainUnavailable {
    var balance = Erc20.number(returned);
    if (balance == null) {
      throw new ChainUnavailable("`" + token + "` does not answer as a token does");
    }
    return balance;
  }

  /** An account's share of a token. */
  public record Holding(Address token, Address account) {}

  /** The amounts of these at the end of a block, in base units and in their order, all asked about together. */
  public List<BigInteger> balancesOf(List<Holding> holdings, long block) throws ChainUnavailable {
    var replies = askTogether(
        holdings.stream().map(of -> balanceQuestion(of.token, of.account, NodeJson.quantity(block))).toList());
    var balances = new ArrayList<BigInteger>();
    for (var holding : holdings) {
      balances.add(balance(holding.token, replies.get(balances.size()).returned()));
    }
    return balances;
  }

  /**
   * The transactions by which an account's amount of a token went down, each once for each transfer in it.
   *
   * @param first and {@code last}: of the blocks that are searched, both inclusive
   */
  public List<Digest32> transfersFrom(Address token, Address account, long first, long last) throws ChainUnavailable {
    var method = "eth_getLogs";
    var transactions = new ArrayList<Digest32>();
    for (long from = first; from <= last; from += LOG_BLOCKS) {
      var filter = newObject().put("address", NodeJson.hex(token)).put("fromBlock", NodeJson.quantity(from)).put(
          "toBlock",
          NodeJson.quantity(Math.min(last, from + LOG_BLOCKS - 1)));
      filter.putArray("topics").add(Erc20.TRANSFER_TOPIC).add(Erc20.topic(account));
      for (var log : required(method, filter)) {
        transactions.add(NodeJson.hash(log.path("transactionHash"), method));
      }
    }
    return transactions;
  }

  /** What a contract says of itself as a token, or nothing if it is none. */
  public Optional<Token> token(Address contract) throws ChainUnavailable {
    var decimals = Erc20.smallNumber(callContract(contract, Erc20.decimals()));
    var symbol = Erc20.text(callContract(contract, Erc20.symbol()));
    return decimals == null || symbol == null
        ? Optional.empty()
        : Optional.of(new Token(symbol, decimals.intValueExact()));
  }

  /** What a call of a contract returns; empty where it reverts or there is no contract. */
  public String call(Address contract, String data, String block) throws ChainUnavailable {
    return callContract(contract, data, block);
  }

  private String callContract(Address contract, String data) throws ChainUnavailable {
    return callContract(contract, data, LATEST);
  }

  private String callContract(Address contract, String data, String block) throws ChainUnavailable {
    var question = callQuestion(contract, data, block);
    return ask(question.method(), question.params().toArray()).returned();
  }

  private Rpc.Question callQuestion(Address contract, String data, String block) {
    return Rpc.Question.of("eth_call", newObject().put("to", NodeJson.hex(contract)).put("data", data), block);
  }

  /**
   * Asks the node for anything else, as the development chain does.
   *
   * @throws ChainUnavailable if the node cannot be reached, answers for another chain, or refuses
   */
  public JsonNode required(String method, Object... params) throws ChainUnavailable {
    return ask(method, params).result(method);
  }

  /** An empty JSON object, to be filled for {@link #required}. */
  public ObjectNode newObject() {
    return JsonNodeFactory.instance.objectNode();
  }

  private RpcReply ask(String method, Object... params) throws ChainUnavailable {
    return believed(rpc.call(method, params));
  }

  private List<RpcReply> askTogether(List<Rpc.Question> questions) throws ChainUnavailable {
    var replies = rpc.callTogether(questions);
    for (var reply : replies) {
      var _ = believed(reply);
    }
    return replies;
  }

  private RpcReply believed(RpcReply reply) throws ChainUnavailable {
    if (reply instanceof RpcReply.Silence(var message, var _) && rpc.isWrongChain()) {
      throw new ChainUnavailable(message, true);
    }
    return reply;
  }

  @Override
  public void close() {
    rpc.close();
  }
}
