package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import io.bursar.permit.SignerFrame;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import jdk.net.ExtendedSocketOptions;

/**
 * Listens on one Unix socket and gives each connection a thread. A connection may stay idle for ever between frames; a
 * frame that has begun, or a reply that is not taken, has {@link Limits#frameTime} to end.
 */
final class SignerServer implements AutoCloseable {
  private static final Logger LOG = System.getLogger("io.bursar.signer");
  private static final Duration STOP_TIME = Duration.ofSeconds(5);
  private static final int STACK_BYTES = 512 * 1024;

  /**
   * Bounds of a server.
   *
   * @param connections the most at a time; one more is told {@link SignerRefusal#BUSY} and closed
   * @param frameTime how long a frame that has begun may take to arrive, and a reply to be taken
   */
  record Limits(int connections, Duration frameTime) {
    static final Limits DEFAULT = new Limits(64, Duration.ofSeconds(5));
  }

  private final Signer signer;
  private final Path socket;
  private final Set<String> allowedUsers;
  private final Limits limits;
  private final ServerSocketChannel listener;
  private final Semaphore free;
  private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
  private final CountDownLatch stopped = new CountDownLatch(1);

  /**
   * Binds the socket; {@link #run} then serves.
   *
   * @param socket a path in a directory to which only this user may write; a socket that nobody listens on is replaced
   * @param ownUser this process's user, as the operating system names the owner of its files
   * @param alsoAllowed one more user who may connect, beside this process's own and root
   * @throws IOException if the path is taken, or its directory lets others write
   */
  static SignerServer bind(Signer signer, Path socket, String ownUser, Optional<String> alsoAllowed, Limits limits)
      throws IOException {
    var directory = socket.toAbsolutePath().getParent();
    if (directory == null) {
      throw new IOException("the socket `" + socket + "` needs a directory of its own");
    }
    SafeFiles.makeDirectory(directory);
    removeStale(socket);
    var allowed = alsoAllowed.map(user -> Set.copyOf(List.of("root", ownUser, user)))
        .orElse(Set.copyOf(List.of("root", ownUser)));
    var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      listener.bind(UnixDomainSocketAddress.of(socket));
      // Connecting takes the right to write. Another user passes the directory's mode and then SO_PEERCRED.
      Files.setPosixFilePermissions(socket,
          PosixFilePermissions.fromString(alsoAllowed.isPresent() ? "rw-rw-rw-" : "rw-------"));
      return new SignerServer(signer, socket, allowed, limits, listener);
    } catch (IOException | RuntimeException failed) {
      listener.close();
      throw failed;
    }
  }

  private SignerServer(Signer signer, Path socket, Set<String> allowedUsers, Limits limits,
      ServerSocketChannel listener) {
    this.signer = signer;
    this.socket = socket;
    this.allowedUsers = allowedUsers;
    this.limits = limits;
    this.listener = listener;
    this.free = new Semaphore(limits.connections());
  }

  /** Serves until {@link #close}. */
  void run() {
    var watchdog = Thread.ofPlatform().daemon().name("watchdog").start(this::watch);
    while (stopped.getCount() > 0) {
      try {
        accept(listener.accept());
      } catch (ClosedChannelException closed) {
        break;
      } catch (IOException failed) {
        LOG.log(Level.ERROR, "cannot accept a connection: " + failed.getMessage());
        pause(Duration.ofMillis(100)); // such as too many open files: give it time to pass
      }
    }
    watchdog.interrupt();
  }

  /** Whether a peer of this user name may stay connected. */
  boolean allows(String user) {
    return allowedUsers.contains(user);
  }

  /** Stops listening, lets requests that have arrived end, and closes every connection. */
  @Override
  public synchronized void close() {
    if (stopped.getCount() == 0) {
      return;
    }
    stopped.countDown();
    try {
      listener.close();
      connections.forEach(Connection::finish);
      if (!free.tryAcquire(limits.connections(), STOP_TIME.toMillis(), TimeUnit.MILLISECONDS)) {
        LOG.log(Level.WARNING, "closing connections that did not end in time");
      }
      connections.forEach(Connection::cut);
      Files.deleteIfExists(socket);
    } catch (IOException failed) {
      LOG.log(Level.WARNING, "cannot close the socket cleanly: " + failed.getMessage());
    } catch (InterruptedException interrupted) {
      connections.forEach(Connection::cut);
      Thread.currentThread().interrupt();
    }
  }

  private void accept(SocketChannel channel) throws IOException {
    var user = peer(channel);
    if (!allows(user)) {
      LOG.log(Level.WARNING, "turned away a peer of the user `" + user + "`");
      channel.close();
      return;
    }
    if (!free.tryAcquire()) {
      LOG.log(Level.WARNING, "turned away a peer: " + limits.connections() + " connections are open");
      channel.configureBlocking(false); // the reply fits the socket's buffer; never wait for this peer
      channel.write(SignerFrame.encode(new SignerReply.Refused(SignerRefusal.BUSY,
          "all " + limits.connections() + " connections are taken")));
      channel.close();
      return;
    }
    var connection = new Connection(channel);
    connections.add(connection);
    Thread.ofPlatform().daemon().name("connection").stackSize(STACK_BYTES).start(connection);
  }

  private static String peer(SocketChannel channel) {
    try {
      return channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
    } catch (IOException | UnsupportedOperationException unknown) {
      return "";
    }
  }

  private void watch() {
    while (!pause(Duration.ofMillis(Math.clamp(limits.frameTime().toMillis() / 4, 10, 1_000)))) {
      long now = System.nanoTime();
      for (var connection : connections) {
        if (connection.isLate(now)) {
          LOG.log(Level.WARNING,
              "closing a connection whose frame did not end in " + limits.frameTime().toMillis() + " ms");
          connection.cut();
        }
      }
    }
  }

  /** Waits; true at once if the server stops. */
  private boolean pause(Duration time) {
    try {
      return stopped.await(time.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return true;
    }
  }

  private static void removeStale(Path socket) throws IOException {
    if (!Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    if (!Files.readAttributes(socket, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).isOther()) {
      throw new IOException("`" + socket + "` is there and is no socket; choose another path");
    }
    try (var _ = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      throw new IOException("another process listens on `" + socket + "`");
    } catch (ConnectException nobodyListens) {
      Files.delete(socket);
    }
  }

  /** One peer and its thread. */
  private final class Connection implements Runnable {
    private static final long NEVER = Long.MIN_VALUE;

    private final SocketChannel channel;
    /** Nano time at which what the peer has begun must have ended, or {@link #NEVER}. */
    private volatile long deadline = NEVER;

    Connection(SocketChannel channel) {
      this.channel = channel;
    }

    @Override
    public void run() {
      try (channel) {
        serve();
      } catch (IOException gone) {
        LOG.log(Level.DEBUG, "a connection ended: " + gone);
      } finally {
        connections.remove(this);
        free.release();
      }
    }

    private void serve() throws IOException {
      var in = ByteBuffer.allocate(SignerFrame.HEADER_BYTES + SignerFrame.MAX_PAYLOAD_BYTES);
      while (true) {
        byte[] payload;
        try {
          payload = SignerFrame.take(in.flip());
          in.compact();
        } catch (IllegalArgumentException endless) {
          reply(signer.refuseFrame(endless));
          return; // where the next frame begins is lost
        }
        if (payload != null) {
          deadline = NEVER;
          reply(signer.answer(payload));
        } else {
          if (in.position() > 0 && deadline == NEVER) {
            deadline = System.nanoTime() + limits.frameTime().toNanos();
          }
          if (channel.read(in) < 0) {
            return;
          }
        }
      }
    }

    private void reply(SignerReply reply) throws IOException {
      var out = SignerFrame.encode(reply);
      deadline = System.nanoTime() + limits.frameTime().toNanos();
      while (out.hasRemaining()) {
        channel.write(out);
      }
      deadline = NEVER;
    }

    boolean isLate(long now) {
      long until = deadline;
      return until != NEVER && now - until > 0;
    }

    /** Takes no more requests; the one in hand is answered. */
    void finish() {
      try {
        channel.shutdownInput();
      } catch (IOException alreadyGone) {
        cut();
      }
    }

    void cut() {
      try {
        channel.close();
      } catch (IOException alreadyGone) {
        LOG.log(Level.DEBUG, "a connection was gone: " + alreadyGone);
      }
    }
  }
}
