package io.bursar.signer;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.HexFormat;

import org.bouncycastle.util.BigIntegers;

import io.bursar.money.Address;
import io.bursar.permit.CancelIntent;
import io.bursar.permit.RefillIntent;
import io.bursar.permit.RelayIntent;
import io.bursar.permit.TransactionIntent;
import io.bursar.permit.TransferIntent;

/**
 * The bytes of an intent's typed transaction, built from the fields of an intent and nothing else.
 *
 * @see <a href="https://eips.ethereum.org/EIPS/eip-1559">EIP-1559</a>
 * @see <a href="https://ethereum.org/developers/docs/data-structures-and-encoding/rlp/">RLP</a>
 */
final class Eip1559 {
  private static final byte TYPE = 2;
  /** First four bytes of Keccak-256 of {@code transfer(address,uint256)}. */
  private static final byte[] TRANSFER = HexFormat.of().parseHex("a9059cbb");

  private Eip1559() {}

  /** What is signed: Keccak-256 over the type byte and the unsigned fields. */
  static byte[] signingHash(TransactionIntent intent) {
    return Address.keccak256(typed(fields(intent)));
  }

  /** The transaction as a node takes it. */
  static byte[] signed(TransactionIntent intent, Secp256k1.Signature signature) {
    if (signature.recoveryId() > 1) {
      throw new IllegalArgumentException("a transaction cannot carry a signature whose r overflowed the group order");
    }
    var fields = fields(intent);
    fields.writeBytes(number(BigInteger.valueOf(signature.recoveryId())));
    fields.writeBytes(number(signature.r()));
    fields.writeBytes(number(signature.s()));
    return typed(fields);
  }

  /** The call {@code transfer(payee, amount)} in the contract ABI: 68 bytes. */
  static byte[] calldata(TransferIntent.Transfer transfer) {
    var data = new byte[4 + 32 + 32];
    System.arraycopy(TRANSFER, 0, data, 0, 4);
    System.arraycopy(transfer.payee().bytes(), 0, data, 4 + 12, Address.BYTES);
    System.arraycopy(BigIntegers.asUnsignedByteArray(32, transfer.amount()), 0, data, 4 + 32, 32);
    return data;
  }

  private static ByteArrayOutputStream fields(TransactionIntent intent) {
    var out = new ByteArrayOutputStream(256);
    out.writeBytes(number(BigInteger.valueOf(intent.slot().chainId())));
    out.writeBytes(number(BigInteger.valueOf(intent.slot().nonce())));
    out.writeBytes(number(intent.gas().maxPriorityFeePerGas()));
    out.writeBytes(number(intent.gas().maxFeePerGas()));
    out.writeBytes(number(BigInteger.valueOf(intent.gas().limit())));
    switch (intent) {
      case TransferIntent transfer -> send(out, transfer.transfer().token(), BigInteger.ZERO,
          calldata(transfer.transfer()));
      case RelayIntent batch -> send(out, RelayIntent.MULTICALL, BigInteger.ZERO, Eip3009.calldata(batch));
      case RefillIntent refill -> send(out, refill.to().address(), refill.wei(), new byte[0]);
      case CancelIntent cancel -> send(out, cancel.from(), BigInteger.ZERO, new byte[0]);
    }
    out.writeBytes(list(new byte[0])); // access list
    return out;
  }

  private static void send(ByteArrayOutputStream out, Address to, BigInteger wei, byte[] data) {
    out.writeBytes(string(to.bytes()));
    out.writeBytes(number(wei));
    out.writeBytes(string(data));
  }

  private static byte[] typed(ByteArrayOutputStream fields) {
    var list = list(fields.toByteArray());
    var bytes = new byte[1 + list.length];
    bytes[0] = TYPE;
    System.arraycopy(list, 0, bytes, 1, list.length);
    return bytes;
  }

  /** RLP of a number: its bytes without leading zeros, so that zero is the empty string. */
  private static byte[] number(BigInteger value) {
    return string(value.signum() == 0 ? new byte[0] : BigIntegers.asUnsignedByteArray(value));
  }

  private static byte[] string(byte[] bytes) {
    return bytes.length == 1 && bytes[0] >= 0 ? bytes : prefixed(0x80, bytes);
  }

  private static byte[] list(byte[] items) {
    return prefixed(0xc0, items);
  }

  private static byte[] prefixed(int offset, byte[] bytes) {
    byte[] head;
    if (bytes.length <= 55) {
      head = new byte[]{(byte) (offset + bytes.length)};
    } else {
      var length = BigIntegers.asUnsignedByteArray(BigInteger.valueOf(bytes.length));
      head = new byte[1 + length.length];
      head[0] = (byte) (offset + 55 + length.length);
      System.arraycopy(length, 0, head, 1, length.length);
    }
    var encoded = Arrays.copyOf(head, head.length + bytes.length);
    System.arraycopy(bytes, 0, encoded, head.length, bytes.length);
    return encoded;
  }
}
