package io.bursar.signer;

import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;

/** One blocking connection to a signer, able to send what no honest client would. */
final class TestClient implements AutoCloseable {
  private final SocketChannel channel;
  private final ByteBuffer in = ByteBuffer.allocate(SignerFrame.HEADER_BYTES + SignerFrame.MAX_PAYLOAD_BYTES);

  TestClient(Path socket) throws IOException {
    channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
  }

  SignerReply ask(SignerRequest request) throws IOException {
    send(SignerFrame.encode(request));
    return reply();
  }

  /** A frame with this payload, whatever it is. */
  SignerReply ask(byte[] payload) throws IOException {
    send(ByteBuffer.allocate(4 + payload.length).putInt(payload.length).put(payload).flip());
    return reply();
  }

  void send(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /**
   * The next reply.
   *
   * @throws EOFException if the signer closed the connection
   */
  SignerReply reply() throws IOException {
    while (true) {
      var payload = SignerFrame.take(in.flip());
      in.compact();
      if (payload != null) {
        return SignerFrame.decodeReply(payload);
      }
      if (channel.read(in) < 0) {
        throw new EOFException("the signer closed the connection");
      }
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
