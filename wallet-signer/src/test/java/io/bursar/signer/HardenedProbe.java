package io.bursar.signer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;

/**
 * A process that has hardened itself as the signer does and then, for each line of its input, tries what somebody would who had got into
 * the signer; it answers {@code done} or {@code refused}. Arguments: a directory, and whether to harden.
 */
final class HardenedProbe {
  static final UUID KEY = new UUID(9, 9);

  private HardenedProbe() {}

  public static void main(String[] arguments) throws Exception {
    var directory = Path.of(arguments[0]);
    try (var curve = NativeSecp256k1.load(directory.resolve("native"))) {
      var store = Keystore.open(directory.resolve("keys"), Fixtures.keks(), curve);
      if (Boolean.parseBoolean(arguments[1])) {
        new Hardening(System.getenv()).finish(curve, true);
      }
      System.out.println("hardened");
      var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
      for (var line = in.readLine(); line != null; line = in.readLine()) {
        System.out.println(line + " " + attempt(line, store));
      }
    }
  }

  private static String attempt(String what, Keystore store) throws Exception {
    try {
      switch (what) {
        case "exec" -> new ProcessBuilder("/bin/true").start().waitFor();
        case "tcp" -> SocketChannel.open(new InetSocketAddress("127.0.0.1", 9)).close();
        case "udp" -> DatagramChannel.open(StandardProtocolFamily.INET).close();
        case "ptrace" -> require(Libc.syscall(number(101, 117), 0, 0, MemorySegment.NULL) == 0); // PTRACE_TRACEME
        case "read-process" -> require(Libc.syscall(number(310, 270), ProcessHandle.current().pid(), 0,
            MemorySegment.NULL) == 0);
        case "unix" -> ServerSocketChannel.open(StandardProtocolFamily.UNIX).close();
        case "thread" -> Thread.ofPlatform().start(() -> {}).join();
        case "sign" -> {
          store.create(Fixtures.TENANT, KEY);
          for (int i = 0; i < 60; i++) {
            try (var secret = store.unseal(store.find(KEY).orElseThrow())) {
              store.curve().sign(new byte[32], secret);
              store.curve().addressOf(secret);
            }
            if (i % 10 == 0) {
              store.openKeys().close((tenantId, keyId) -> true); // so that it is unsealed again
              store.openKeys().close((tenantId, keyId) -> false);
            }
          }
        }
        case "freeze" -> store.openKeys().close((tenantId, keyId) -> keyId.equals(KEY));
        default -> throw new IllegalArgumentException(what);
      }
      return "done";
    } catch (ConnectException nobodyListens) {
      return "done"; // the socket was there
    } catch (IOException refused) {
      return "refused";
    }
  }

  private static void require(boolean done) throws IOException {
    if (!done) {
      throw new IOException("refused");
    }
  }

  private static int number(int amd64, int aarch64) {
    return System.getProperty("os.arch").equals("amd64") ? amd64 : aarch64;
  }
}
