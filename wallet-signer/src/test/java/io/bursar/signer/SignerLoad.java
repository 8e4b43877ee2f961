package io.bursar.signer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Permit;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.CreateKey;

/**
 * Measures the whole path: requests over the socket of a real process, each with a permit of its own, answered after the
 * journal is durable. Permits are signed beforehand, so that the client takes little of the machine.
 */
public final class SignerLoad {
  private static final int BATCH = 2_000;

  private SignerLoad() {}

  /**
   * Prints one line for each round.
   *
   * @param args a directory to work in, then optionally connections, rounds, and the backend
   */
  public static void main(String[] args) throws Exception {
    var directory = Files.createDirectories(Path.of(args[0]));
    int connections = args.length > 1 ? Integer.parseInt(args[1]) : 8;
    int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 10;
    var more = args.length > 3 ? new String[]{"--backend", args[3]} : new String[0];
    try (var signer = new SignerProcess(directory, more); var threads = Executors.newFixedThreadPool(connections)) {
      var clients = new ArrayList<TestClient>();
      for (int i = 0; i < connections; i++) {
        clients.add(new TestClient(signer.socket()));
      }
      long nonce = System.currentTimeMillis() << 20;
      for (int round = 0; round < rounds; round++) {
        var tasks = new ArrayList<Callable<long[]>>();
        for (var client : clients) {
          var requests = requests(signer, client, nonce);
          nonce += BATCH;
          tasks.add(() -> send(client, requests));
        }
        long begun = System.nanoTime();
        var times = new ArrayList<long[]>();
        for (var result : threads.invokeAll(tasks)) {
          times.add(result.get());
        }
        print(round, System.nanoTime() - begun, times);
      }
      for (var client : clients) {
        client.close();
      }
    }
  }

  private static List<SignerRequest.Sign> requests(SignerProcess signer, TestClient client, long firstNonce)
      throws IOException {
    var keyId = new UUID(7, firstNonce % 16);
    Address address = ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, keyId))).address();
    var permitKey = signer.permitKey();
    var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    var requests = new ArrayList<SignerRequest.Sign>();
    for (int i = 0; i < BATCH; i++) {
      var intent = Fixtures.intent(keyId, address, firstNonce + i);
      requests.add(new SignerRequest.Sign(new Permit(UUID.randomUUID(), intent.spendId(), Digest32.sha256(),
          intent.hash(), now, now.plusSeconds(300)).sign(permitKey), Bytes.of(intent.encode())));
    }
    return requests;
  }

  private static long[] send(TestClient client, List<SignerRequest.Sign> requests) throws IOException {
    var times = new long[requests.size()];
    for (int i = 0; i < times.length; i++) {
      long begun = System.nanoTime();
      if (!(client.ask(requests.get(i)) instanceof Signed)) {
        throw new IllegalStateException("refused");
      }
      times[i] = System.nanoTime() - begun;
    }
    return times;
  }

  private static void print(int round, long nanos, List<long[]> times) {
    var all = times.stream().flatMapToLong(Arrays::stream).sorted().toArray();
    System.out.printf("round %d: %,d signatures/s, p50 %d us, p99 %d us, worst %d us%n", round,
        all.length * TimeUnit.SECONDS.toNanos(1) / nanos, all[all.length / 2] / 1_000,
        all[(int) (all.length * 99L / 100)] / 1_000, all[all.length - 1] / 1_000);
  }
}
