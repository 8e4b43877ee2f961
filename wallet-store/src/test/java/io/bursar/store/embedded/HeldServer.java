package io.bursar.store.embedded;

import java.nio.file.Path;

/** A JVM of its own that holds a server, for tests that kill the JVM. Prints the port when the server is up. */
final class HeldServer {
  private HeldServer() {}

  public static void main(String[] args) throws Exception {
    EmbeddedPostgres server = EmbeddedPostgres.start(Path.of(args[0]), EmbeddedPostgres.Options.DEFAULT);
    System.out.println(server.port());
    server.awaitExit();
  }
}
