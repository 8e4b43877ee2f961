package io.bursar.api.dev;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;

import org.web3j.abi.datatypes.generated.Uint256;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.money.Address;
import io.bursar.permit.Digest32;
import tools.jackson.databind.node.ObjectNode;

/** Money of the development chain for the asking: minted USDC, and native coin for gas. */
public final class Faucet {
  private static final BigInteger ETHER = BigInteger.TEN.pow(18);
  private static final BigInteger LITTLE_GAS = BigInteger.TEN.pow(17);
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private final DevChain dev;

  public Faucet(DevChain dev) {
    this.dev = dev;
  }

  /**
   * Mints tokens to a wallet, and sends it one ether if it holds less than a tenth; returns when both are mined.
   *
   * @param contract of {@link DevChain#ensureUsdc}
   * @param amount base units, at least 1
   * @throws ChainUnavailable if it is not mined in time, or failed
   */
  public void fund(Address wallet, Address contract, BigInteger amount) throws ChainUnavailable {
    fund(wallet, contract, amount, true);
  }

  /** As the other, and without native coin if none is needed. */
  public synchronized void fund(Address wallet, Address contract, BigInteger amount, boolean gas)
      throws ChainUnavailable {
    var sent = new ArrayList<Digest32>();
    if (gas && dev.chain().balance(wallet).compareTo(LITTLE_GAS) < 0) {
      sent.add(send(request(dev.funder(), wallet).put("value", "0x" + ETHER.toString(16))));
    }
    sent.add(send(request(dev.minter(), contract).put("data",
        DevChain.encode("mint", DevChain.abi(wallet), new Uint256(amount)))));
    long deadline = System.nanoTime() + TIMEOUT.toNanos();
    for (var hash : sent) {
      awaitSuccess(hash, deadline);
    }
  }

  /** Sends a relayer a hundred ether if it holds less than ten. */
  public synchronized void topUp(Address relayer) throws ChainUnavailable {
    if (dev.chain().balance(relayer).compareTo(ETHER.multiply(BigInteger.TEN)) < 0) {
      awaitSuccess(
          send(
              request(dev.funder(), relayer).put("value", "0x" + ETHER.multiply(BigInteger.valueOf(100)).toString(16))),
          System.nanoTime() + TIMEOUT.toNanos());
    }
  }

  private ObjectNode request(Address from, Address to) {
    return dev.chain().newObject().put("from", from.toString()).put("to", to.toString());
  }

  private Digest32 send(ObjectNode request) throws ChainUnavailable {
    var hash = dev.chain().required("eth_sendTransaction", request).asString("");
    return Digest32.of(HexFormat.of().parseHex(hash.substring(2)));
  }

  private void awaitSuccess(Digest32 hash, long deadline) throws ChainUnavailable {
    var receipt = dev.chain().receipt(hash);
    while (receipt.isEmpty()) {
      DevChain.pause(deadline, "the faucet's transaction is not mined in time");
      receipt = dev.chain().receipt(hash);
    }
    if (!receipt.get().succeeded()) {
      throw new ChainUnavailable("the faucet's transaction failed");
    }
  }
}
