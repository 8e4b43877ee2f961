package io.bursar.api.testing;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;

import io.bursar.api.demo.Client;
import io.bursar.store.Database;

/**
 * The real service in a process of its own, from the test's class path. It can be killed and started again on the same port;
 * several can run on one database.
 */
public final class ApiProcess implements AutoCloseable {
  public static final String ADMIN_KEY = "test-only-operator-key-0123456789";

  private final int port = TestProcess.freePort();
  private final Map<String, String> environment = new HashMap<>();
  private List<String> flags = List.of("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");
  private String classPath = System.getProperty("java.class.path");
  private @Nullable TestProcess process;
  /** Another one for each process: one that was killed leaves connections behind that only fail. */
  private volatile Client client = new Client(uri());

  private ApiProcess(Database.Settings database) {
    environment.put("BURSAR_HOME", Path.of("target", "api-home").toAbsolutePath().toString());
    environment.put("BURSAR_PORT", Integer.toString(port));
    environment.put("BURSAR_DB_URL", database.url());
    environment.put("BURSAR_DB_USER", database.user());
    environment.put("BURSAR_DB_PASSWORD", database.password().value());
    environment.put("BURSAR_ADMIN_KEY", ADMIN_KEY);
  }

  /** A service on this database, without signer or chain; not started yet. */
  public static ApiProcess on(Database.Settings database) {
    return new ApiProcess(database);
  }

  /** With a signer, and a development chain that it settles on. */
  public ApiProcess with(SignerProcess signer, AnvilProcess chain) {
    environment.put("BURSAR_SIGNER_SOCKET", signer.socket().toString());
    environment.put("BURSAR_PERMIT_KEY", signer.permitKey().toString());
    environment.put("BURSAR_RPC_URL", chain.endpoint().toString());
    environment.put("BURSAR_CHAIN", AnvilProcess.CHAIN);
    environment.put("BURSAR_DEV", "true");
    environment.put("BURSAR_RELAYERS", "0"); // most tests look at a wallet's own transactions
    environment.put("BURSAR_FUNDS_WAIT_SECONDS", "3600"); // many tests ask for what their wallets could not pay
    environment.put("BURSAR_STABLECOIN_ARTIFACTS", AnvilProcess.usdcArtifacts().toString());
    return this;
  }

  /** With the collector and the compilers that a deployed service has, for a bench; tests want a quick start instead. */
  public ApiProcess asDeployed(int heapMb) {
    flags = List.of("-Xmx" + heapMb + "m", "-XX:+UseParallelGC", "-XX:+UseCompactObjectHeaders");
    return this;
  }

  /** As the launcher starts it, which a bench's script knows: by its flags, from its jars. */
  public ApiProcess asLaunched() {
    flags = List.of(System.getProperty("launcher.flags").split(" "));
    classPath = System.getProperty("launcher.classPath");
    return this;
  }

  public ApiProcess setting(String name, String value) {
    environment.put(name, value);
    return this;
  }

  /** Starts it, or starts it again, and returns at once. */
  public ApiProcess launch() {
    kill();
    client = new Client(uri());
    var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    command.addAll(flags);
    command.addAll(List.of("-cp", classPath, "io.bursar.api.WalletApi"));
    process = TestProcess.start("api", command, environment);
    return this;
  }

  /** Waits until it is ready. */
  public ApiProcess await() {
    Awaitility.await("api").atMost(Duration.ofMinutes(2)).pollInterval(Duration.ofMillis(100)).until(() -> {
      if (process == null || !process.isAlive()) {
        throw new IllegalStateException(process == null ? "it was not launched" : process.output());
      }
      try {
        return client().get("/actuator/health/readiness", ADMIN_KEY).status() == 200;
      } catch (IOException notYet) {
        return false;
      }
    });
    return this;
  }

  public ApiProcess start() {
    return launch().await();
  }

  /** Ends it as {@code kill -9} does. */
  public void kill() {
    if (process != null) {
      process.close();
      process = null;
    }
  }

  public URI uri() {
    return URI.create("http://127.0.0.1:" + port);
  }

  public Client client() {
    return client;
  }

  /** Its process id. */
  public long pid() {
    if (process == null) {
      throw new IllegalStateException("it was not launched");
    }
    return process.pid();
  }

  /** What it has logged. */
  public String output() {
    return process == null ? "" : process.output();
  }

  @Override
  public void close() {
    kill();
  }
}
