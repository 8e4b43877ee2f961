package io.bursar.permit;

import java.math.BigInteger;
import java.util.UUID;

import io.bursar.money.Address;

/**
 * One exact ERC-20 {@code transfer} in one EIP-1559 transaction: everything that the signer needs to build the bytes by
 * itself, and nothing that it would have to take on trust. Two intents are the same if and only if their bytes are.
 *
 * <p>
 * Layout, 190 bytes, big-endian: version 1 (1), kind 1 (1), tenant (16), spend (16), key (16), chain id (8), nonce (8),
 * from (20), token (20), payee (20), amount (32), gas limit (8), max fee per gas (12), max priority fee per gas (12).
 *
 * @param tenantId the tenant whose key and money it is
 * @param spendId the spend that this transfer settles
 * @param slot where the transaction goes: chain, key and nonce
 * @param from the address of the key, stated again so that a mix-up of keys is seen
 * @param transfer what moves
 * @param gas what the transaction may cost
 * @see <a href="https://eips.ethereum.org/EIPS/eip-1559">EIP-1559</a>
 * @see <a href="https://eips.ethereum.org/EIPS/eip-20">ERC-20</a>
 */
public record TransferIntent(UUID tenantId, UUID spendId, NonceSlot slot, Address from, Transfer transfer, Gas gas)
    implements
      PaymentIntent,
      TransactionIntent {
  /** Length of an encoded intent in bytes. */
  public static final int ENCODED_BYTES = 190;

  static final int KIND = 1;
  static final int AMOUNT_BYTES = 32;
  private static final int FEE_BYTES = 12;
  private static final long GAS_LIMIT_MAX = 10_000_000;

  public TransferIntent {
    RelayIntent.refuseAsPayer(tenantId);
    if (gas.limit > GAS_LIMIT_MAX) {
      throw new IllegalArgumentException("gas limit must be 21000 to 10000000, not `" + gas.limit + "`");
    }
  }

  /**
   * The place of one transaction in the order of its account. At most one transfer may ever be signed for a slot.
   *
   * @param chainId EIP-155 chain id, 1 to 2^53 − 1
   * @param keyId the key, which is also the wallet's id
   * @param nonce the account's transaction count, 0 to 2^63 − 1
   */
  public record NonceSlot(long chainId, UUID keyId, long nonce) {
    private static final long MAX_CHAIN_ID = (1L << 53) - 1;

    public NonceSlot {
      requireChainId(chainId);
      if (nonce < 0) {
        throw new IllegalArgumentException("nonce must be 0 to 2^63 - 1, not `" + nonce + "`");
      }
    }

    static void requireChainId(long chainId) {
      if (chainId < 1 || chainId > MAX_CHAIN_ID) {
        throw new IllegalArgumentException("chain id must be 1 to 2^53 - 1, not `" + chainId + "`");
      }
    }
  }

  /**
   * What moves: {@code amount} base units of {@code token} to {@code payee}.
   *
   * @param token the ERC-20 contract
   * @param payee who receives; neither the zero address nor the token contract, where money would be lost
   * @param amount base units, 1 to 2^256 − 1
   */
  public record Transfer(Address token, Address payee, BigInteger amount) {
    public Transfer {
      if (amount.signum() <= 0 || amount.bitLength() > 256) {
        throw new IllegalArgumentException("amount must be 1 to 2^256 - 1 base units, not `" + amount + "`");
      }
      if (token.isZero() || payee.isZero()) {
        throw new IllegalArgumentException("token and payee must not be the zero address");
      }
      if (payee.equals(token)) {
        throw new IllegalArgumentException("payee must not be the token contract `" + token + "`");
      }
    }
  }

  /**
   * What the transaction may cost: at most {@code limit × maxFeePerGas} wei.
   *
   * @param limit gas units, 21,000 to 2^24, which EIP-7825 makes the most of any transaction
   * @param maxFeePerGas wei, 0 to 2^96 − 1
   * @param maxPriorityFeePerGas wei, 0 to {@code maxFeePerGas}
   */
  public record Gas(long limit, BigInteger maxFeePerGas, BigInteger maxPriorityFeePerGas) {
    private static final long MIN_LIMIT = 21_000;
    private static final long MAX_LIMIT = 1 << 24;

    public Gas {
      if (limit < MIN_LIMIT || limit > MAX_LIMIT) {
        throw new IllegalArgumentException("gas limit must be 21000 to 2^24, not `" + limit + "`");
      }
      if (maxFeePerGas.signum() < 0 || maxFeePerGas.bitLength() > 8 * FEE_BYTES) {
        throw new IllegalArgumentException("max fee per gas must be 0 to 2^96 - 1 wei, not `" + maxFeePerGas + "`");
      }
      if (maxPriorityFeePerGas.signum() < 0 || maxPriorityFeePerGas.compareTo(maxFeePerGas) > 0) {
        throw new IllegalArgumentException("max priority fee per gas must be 0 to the max fee `" + maxFeePerGas
            + "` wei, not `" + maxPriorityFeePerGas + "`");
      }
    }

    /** The most that the transaction can cost, in wei. */
    public BigInteger maxCost() {
      return maxFeePerGas.multiply(BigInteger.valueOf(limit));
    }
  }

  @Override
  public byte[] encode() {
    var out = new WireWriter().u8(VERSION).u8(KIND).uuid(tenantId).uuid(spendId).uuid(slot.keyId)
        .i64(slot.chainId).i64(slot.nonce).address(from).address(transfer.token).address(transfer.payee)
        .unsigned(transfer.amount, AMOUNT_BYTES);
    writeGas(out, gas);
    return out.toByteArray();
  }

  static TransferIntent read(WireReader in) {
    var tenantId = in.uuid();
    var spendId = in.uuid();
    var keyId = in.uuid();
    var slot = new NonceSlot(in.i64(), keyId, in.i64());
    var from = in.address();
    var transfer = new Transfer(in.address(), in.address(), in.unsigned(AMOUNT_BYTES));
    return new TransferIntent(tenantId, spendId, slot, from, transfer, readGas(in));
  }

  static void writeGas(WireWriter out, Gas gas) {
    out.i64(gas.limit).unsigned(gas.maxFeePerGas, FEE_BYTES).unsigned(gas.maxPriorityFeePerGas, FEE_BYTES);
  }

  static Gas readGas(WireReader in) {
    return new Gas(in.i64(), in.unsigned(FEE_BYTES), in.unsigned(FEE_BYTES));
  }
}
