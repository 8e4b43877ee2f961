package io.bursar.api.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.UUID;

import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;

import io.bursar.api.signer.PermitIssuer;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.api.signer.TransferSigner;
import io.bursar.money.Address;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.log.Log;

/** The real signer in a process of its own, from the test's class path, with a home that outlives its restarts. */
public final class SignerProcess implements AutoCloseable {
  private final Path home;
  private final List<String> flags;
  private final Path socket;
  private final Path permitKey;
  private final SignerClient client;
  private @Nullable TestProcess process;

  private SignerProcess(Path home, List<String> flags) {
    this.home = home;
    this.flags = flags;
    this.socket = home.resolve("run").resolve("signer.sock");
    this.permitKey = home.resolve("permit.key");
    this.client = new SignerClient(socket, 8, Duration.ofSeconds(5));
  }

  /** A new signer without keys, ready, which starts soon and is not made for speed. */
  public static SignerProcess start() {
    return start("-Xmx128m", "-XX:TieredStopAtLevel=1");
  }

  /** As {@link #start()}, on a JVM as the launcher has it. */
  public static SignerProcess startAsDeployed() {
    return start("-Xms16m", "-Xmx192m", "-XX:+UseSerialGC");
  }

  private static SignerProcess start(String... flags) {
    try {
      // The path of a Unix socket has at most 107 bytes, and a build directory can be deep.
      var signer = new SignerProcess(Files.createTempDirectory("bursar-signer-",
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))), List.of(flags));
      signer.initialize();
      signer.restart();
      return signer;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void initialize() throws IOException {
    Files.createDirectory(socket.getParent(),
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    var init = command("init", "--home", home.resolve("data").toString(), "--permit-key", permitKey.toString());
    try (var run = TestProcess.start("signer-init", init)) {
      Awaitility.await("signer init").atMost(Duration.ofSeconds(30)).until(() -> !run.isAlive());
      if (!Files.exists(permitKey)) {
        throw new IllegalStateException(run.output());
      }
    }
  }

  private List<String> command(String... arguments) {
    var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    command.addAll(flags);
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
        "io.bursar.signer.SignerMain"));
    command.addAll(List.of(arguments));
    return command;
  }

  /** Starts it, after {@link #kill} or while it runs, and waits until it answers. */
  public void restart() {
    kill();
    var started = TestProcess.start("signer",
        command("serve", "--home", home.resolve("data").toString(), "--socket", socket.toString()));
    process = started;
    Awaitility.await("signer").atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(20)).until(() -> {
      if (!started.isAlive()) {
        throw new IllegalStateException(started.output());
      }
      try {
        return client.ask(new SignerRequest.Health()) instanceof SignerReply.Healthy;
      } catch (SignerUnreachable notYet) {
        return false;
      }
    });
  }

  /** Ends it as {@code kill -9} does. */
  public void kill() {
    if (process != null) {
      process.close();
      process = null;
    }
  }

  /** Its home, with the sealed keys. */
  public Path data() {
    return home.resolve("data");
  }

  public Path socket() {
    return socket;
  }

  /** The file of the API's private permit key. */
  public Path permitKey() {
    return permitKey;
  }

  public SignerClient client() {
    return client;
  }

  /** Gets transfers signed that are on the record of this log. */
  public TransferSigner transfers(Log log) {
    try {
      return new TransferSigner(client, PermitIssuer.load(permitKey, Clock.systemUTC()), log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Makes a key. */
  public Address createKey(UUID tenantId, UUID keyId) {
    try {
      return switch (client.ask(new SignerRequest.CreateKey(tenantId, keyId))) {
        case SignerReply.KeyCreated(var _, var address) -> address;
        case SignerReply other -> throw new IllegalStateException(String.format(Locale.ROOT, "%s", other));
      };
    } catch (SignerUnreachable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    client.close();
    kill();
    try (var files = Files.walk(home)) {
      for (var file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
