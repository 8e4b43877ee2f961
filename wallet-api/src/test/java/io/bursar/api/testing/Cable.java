package io.bursar.api.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** What connects a client with a server on this machine, as plain bytes, and can be cut: nothing gets through then, and nothing is closed. */
public final class Cable implements AutoCloseable {
  private final ServerSocket listener;
  private final int port;
  private final Set<Socket> ends = ConcurrentHashMap.newKeySet();
  private volatile boolean cut;

  /** A cable to the server at this end point. */
  public Cable(URI server) {
    port = server.getPort();
    try {
      listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    var _ = Thread.ofVirtual().start(this::accept);
  }

  /** Where clients connect. */
  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + listener.getLocalPort());
  }

  /** From now on what is sent is lost, and its sender waits. */
  public void cut() {
    cut = true;
  }

  /** Connections that were there when it was cut stay dead, and are closed now; new ones get through. */
  public void mend() {
    cut = false;
    ends.forEach(Cable::closeQuietly);
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        var client = listener.accept();
        ends.add(client);
        if (cut) {
          continue;
        }
        var server = new Socket(InetAddress.getLoopbackAddress(), port);
        client.setTcpNoDelay(true);
        server.setTcpNoDelay(true);
        ends.add(server);
        var _ = Thread.ofVirtual().start(() -> carry(client, server));
        var _ = Thread.ofVirtual().start(() -> carry(server, client));
      } catch (IOException closed) {
        // The next client, if there is one, connects anew.
      }
    }
  }

  private void carry(Socket from, Socket to) {
    var bytes = new byte[16_384];
    try {
      for (int read = from.getInputStream().read(bytes); read >= 0; read = from.getInputStream().read(bytes)) {
        if (!cut) {
          to.getOutputStream().write(bytes, 0, read);
        }
      }
    } catch (IOException gone) {
      // So is the other end, in a moment.
    }
    closeQuietly(from);
    closeQuietly(to);
    ends.remove(from);
    ends.remove(to);
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException alreadyGone) {
      // That is what was wanted.
    }
  }

  @Override
  public void close() {
    try {
      listener.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    ends.forEach(Cable::closeQuietly);
  }
}
