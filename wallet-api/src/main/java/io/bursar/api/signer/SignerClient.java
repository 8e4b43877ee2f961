package io.bursar.api.signer;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;

/**
 * Asks the signer, over a few connections that are kept open. A connection that fails is thrown away, so a signer that was
 * started again is reached by the next question. For platform threads: a virtual one would hold its carrier while it waits.
 */
public final class SignerClient implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SignerClient.class);

  private final UnixDomainSocketAddress address;
  private final Duration timeout;
  private final Semaphore permits;
  private final ConcurrentLinkedDeque<Connection> idle = new ConcurrentLinkedDeque<>();
  private volatile boolean closed;

  /**
   * A client that connects when it is first used.
   *
   * @param socket the signer's
   * @param connections the most that are open at once, at least 1
   * @param timeout for one question, waiting for a free connection included
   */
  public SignerClient(Path socket, int connections, Duration timeout) {
    this.address = UnixDomainSocketAddress.of(socket);
    this.timeout = timeout;
    this.permits = new Semaphore(connections);
  }

  /**
   * Asks one question and waits for its answer.
   *
   * @throws SignerUnreachable if none came in time; ask again later, a request to sign with a new permit
   */
  public SignerReply ask(SignerRequest request) throws SignerUnreachable {
    long deadline = System.nanoTime() + timeout.toNanos();
    try {
      if (!permits.tryAcquire(timeout.toNanos(), TimeUnit.NANOSECONDS)) {
        throw new SignerUnreachable("the signer is busy with other requests", new IOException("no free connection"));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SignerUnreachable("interrupted while waiting for the signer", e);
    }
    try {
      return exchange(request, deadline);
    } catch (IOException | IllegalArgumentException e) {
      throw new SignerUnreachable("the signer cannot be reached", e);
    } finally {
      permits.release();
    }
  }

  /** A kept connection may be to a signer that is gone; then, once, a fresh one is tried. */
  private SignerReply exchange(SignerRequest request, long deadline) throws IOException {
    @Nullable
    Connection kept = idle.pollFirst();
    if (kept != null) {
      try {
        return exchange(kept, request, deadline);
      } catch (SlowSigner e) {
        throw e;
      } catch (IOException gone) {
        closeIdle();
      }
    }
    return exchange(new Connection(address), request, deadline);
  }

  private SignerReply exchange(Connection connection, SignerRequest request, long deadline) throws IOException {
    boolean whole = false;
    try {
      var reply = connection.exchange(request, deadline);
      whole = !closed;
      return reply;
    } finally {
      if (whole) {
        idle.addFirst(connection);
      } else {
        connection.close();
      }
    }
  }

  private void closeIdle() {
    for (var connection = idle.pollFirst(); connection != null; connection = idle.pollFirst()) {
      connection.close();
    }
  }

  @Override
  public void close() {
    closed = true;
    closeIdle();
  }

  private static final class SlowSigner extends IOException {
    private static final long serialVersionUID = 1;

    SlowSigner() {
      super("time-out");
    }
  }

  /** One connection; its channel does not block, so that every wait can end. */
  private static final class Connection {
    private final SocketChannel channel;
    private final Selector selector;
    private final ByteBuffer in = ByteBuffer.allocate(SignerFrame.HEADER_BYTES + SignerFrame.MAX_PAYLOAD_BYTES);

    Connection(UnixDomainSocketAddress address) throws IOException {
      channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      try {
        channel.connect(address);
        channel.configureBlocking(false);
        selector = Selector.open();
        var _ = channel.register(selector, 0);
      } catch (IOException e) {
        channel.close();
        throw e;
      }
    }

    SignerReply exchange(SignerRequest request, long deadline) throws IOException {
      var out = SignerFrame.encode(request);
      while (out.hasRemaining()) {
        if (channel.write(out) == 0) {
          await(SelectionKey.OP_WRITE, deadline);
        }
      }
      in.clear();
      while (true) {
        int read = channel.read(in);
        if (read < 0) {
          throw new EOFException("the signer closed the connection");
        }
        if (read == 0) {
          await(SelectionKey.OP_READ, deadline);
          continue;
        }
        var frames = in.duplicate().flip();
        byte @Nullable [] payload = SignerFrame.take(frames);
        if (payload != null) {
          if (frames.hasRemaining()) {
            throw new IOException("the signer answered more than it was asked");
          }
          return SignerFrame.decodeReply(payload);
        }
      }
    }

    private void await(int operation, long deadline) throws IOException {
      long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      channel.keyFor(selector).interestOps(operation);
      if (millis <= 0 || selector.select(millis) == 0) {
        throw new SlowSigner();
      }
      selector.selectedKeys().clear();
    }

    void close() {
      try (channel; selector) {
        selector.wakeup();
      } catch (IOException e) {
        // Nothing is lost: what was asked is answered by its journal, and the next question takes another connection.
        LOG.debug("could not close a connection to the signer", e);
      }
    }
  }
}
