package io.bursar.api.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.api.testing.SignerProcess;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;

class SignerClientTest {
  @Test
  void reachesASignerThatWasStartedAgain() throws Exception {
    try (var signer = SignerProcess.start()) {
      var tenant = UUID.randomUUID();
      var key = UUID.randomUUID();
      var address = signer.createKey(tenant, key);
      signer.restart();
      assertThat(signer.client().ask(new SignerRequest.CreateKey(tenant, key)))
          .isEqualTo(new SignerReply.KeyCreated(key, address));
    }
  }

  @Test
  void servesManyThreadsOverFewConnections() throws Exception {
    try (var signer = SignerProcess.start(); var threads = Executors.newFixedThreadPool(32)) {
      var asked = Stream.generate(() -> (Callable<SignerReply>) () -> signer.client().ask(new SignerRequest.Health()))
          .limit(500).toList();
      for (var reply : threads.invokeAll(asked)) {
        assertThat(reply.get()).isInstanceOf(SignerReply.Healthy.class);
      }
    }
  }

  @Test
  void saysSoWhereNobodyListens(@TempDir Path directory) {
    try (var client = new SignerClient(directory.resolve("none.sock"), 1, Duration.ofSeconds(1))) {
      assertThatThrownBy(() -> client.ask(new SignerRequest.Health())).isInstanceOf(SignerUnreachable.class)
          .hasMessage("the signer cannot be reached");
    }
  }

  @Test
  void givesUpInTimeOnASignerThatSaysNothing() throws Exception {
    var directory = Files.createTempDirectory("bursar-");
    var socket = directory.resolve("s");
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(socket)); var client = new SignerClient(socket, 1, Duration.ofMillis(300))) {
      assertThat(server.isOpen()).isTrue();
      long started = System.nanoTime();
      assertThatThrownBy(() -> client.ask(new SignerRequest.Health())).isInstanceOf(SignerUnreachable.class);
      assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofSeconds(3));
    } finally {
      Files.deleteIfExists(socket);
      Files.delete(directory);
    }
  }
}
