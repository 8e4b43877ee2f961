package io.bursar.signer;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

import io.bursar.json.JsonText;
import io.bursar.log.CompactRange;
import io.bursar.log.HashSource;
import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.Proofs;
import io.bursar.log.SignedNote;
import io.bursar.money.Address;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Permit;
import io.bursar.permit.SignerReply.HeadSigned;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.SignerRequest.SignHead;
import io.bursar.permit.TransferIntent;
import io.bursar.permit.TransferIntent.NonceSlot;
import io.bursar.permit.TransferIntent.Transfer;

/**
 * Measures the whole path: requests over the socket of a real process, each with a permit of its own and the proof that it was
 * authorized in the tenant's log, counted against ceilings, answered after the journal is durable. Requests are made beforehand,
 * round by round, so that the client takes little of the machine while it measures.
 */
public final class SignerLoad {
  private static final int BATCH = 2_000;
  private static final int KEYS = 16;
  private static final UUID TENANT = Fixtures.TENANT;
  private static final String CEILINGS = """
      {"assets": [{"chain": "eip155:8453", "contract": "%s", "symbol": "USDC", "decimals": 6, "currency": "USD"}],
       "key": {"name": "key", "rules": [{"id": "any", "kind": "permit"},
         {"id": "one", "kind": "limit", "match": {"currency": "USD"}, "max": "1000", "window": "spend"},
         {"id": "hour", "kind": "limit", "match": {"currency": "USD"}, "max": "1000000000", "window": {"rolling": "PT1H"}},
         {"id": "people", "kind": "approval", "match": {"currency": "USD", "amount": {"above": "500"}},
          "groups": [{"group": "finance", "threshold": 1}], "expiresAfter": "PT4H"}]},
       "tenant": {"name": "tenant", "rules": [{"id": "any", "kind": "permit"},
         {"id": "day", "kind": "limit", "match": {"currency": "USD"}, "max": "1000000000", "window": {"rolling": "PT24H"}}]}}"""
      .formatted(Fixtures.TOKEN);

  /** A whole tree, level by level. */
  private record Tree(List<Digest32[]> levels) implements HashSource {
    static Tree of(List<byte[]> entries) {
      var levels = new ArrayList<Digest32[]>();
      levels.add(entries.stream().map(Merkle::leafHash).toArray(Digest32[]::new));
      while (levels.getLast().length > 1) {
        var below = levels.getLast();
        var level = new Digest32[below.length / 2];
        for (int i = 0; i < level.length; i++) {
          level[i] = Merkle.nodeHash(below[2 * i], below[2 * i + 1]);
        }
        levels.add(level);
      }
      return new Tree(levels);
    }

    @Override
    public Digest32 hash(int level, long index) {
      return levels.get(level)[(int) index];
    }
  }

  private final SignerProcess signer;
  private final List<TestClient> clients = new ArrayList<>();
  private final List<Address> addresses = new ArrayList<>();
  private final long firstNonce = System.currentTimeMillis() << 20;
  private List<byte[]> entries = new ArrayList<>();

  private SignerLoad(SignerProcess signer, int connections) throws IOException {
    this.signer = signer;
    for (int i = 0; i < connections; i++) {
      clients.add(new TestClient(signer.socket()));
    }
    for (int i = 0; i < KEYS; i++) {
      addresses.add(((KeyCreated) clients.getFirst().ask(new CreateKey(TENANT, key(i)))).address());
    }
  }

  /**
   * Prints one line for each round.
   *
   * @param args a directory to work in, then optionally connections, rounds, and the backend
   */
  public static void main(String[] args) throws Exception {
    var directory = Files.createDirectories(Path.of(args[0]));
    int connections = args.length > 1 ? Integer.parseInt(args[1]) : 8;
    int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 10;
    var ceilings = Files.writeString(directory.resolve("ceilings.json"), CEILINGS, StandardCharsets.UTF_8);
    var more = new ArrayList<>(List.of("--log-proof", "required", "--requests-per-second", "100000"));
    if (args.length > 3) {
      more.addAll(List.of("--backend", args[3]));
    }
    try (var signer = new SignerProcess(directory, List.of("--ceilings", ceilings.toString()),
        more.toArray(String[]::new)); var threads = Executors.newFixedThreadPool(connections)) {
      var load = new SignerLoad(signer, connections);
      for (int round = 0; round < rounds; round++) {
        load.round(round, threads);
      }
      for (var client : load.clients) {
        client.close();
      }
    }
  }

  private static UUID key(int number) {
    return new UUID(7, number);
  }

  private void round(int round, ExecutorService threads) throws Exception {
    var requests = requests(BATCH * clients.size());
    var tasks = new ArrayList<Callable<long[]>>();
    for (int i = 0; i < clients.size(); i++) {
      var client = clients.get(i);
      var own = requests.subList(i * BATCH, (i + 1) * BATCH);
      tasks.add(() -> send(client, own));
    }
    long begun = System.nanoTime();
    var times = new ArrayList<long[]>();
    for (var result : threads.invokeAll(tasks)) {
      times.add(result.get());
    }
    print(round, System.nanoTime() - begun, times);
  }

  private TransferIntent intent(int number) {
    int key = number % KEYS;
    return new TransferIntent(TENANT, new UUID(firstNonce, number), new NonceSlot(8453, key(key), firstNonce + number),
        addresses.get(key), new Transfer(Fixtures.TOKEN, Fixtures.PAYEE, BigInteger.valueOf(12_500_000)),
        Fixtures.gas(90_000, 1_500_000_000L, 1_000_000));
  }

  /** So many more entries of the log, its head signed, and a request for each of them. */
  private List<Sign> requests(int count) throws IOException {
    int before = entries.size();
    for (int i = before; i < before + count; i++) {
      entries.add(JsonText.canonical(TestLog.entry(intent(i)).build()));
    }
    var tree = Tree.of(entries);
    var head = new SignHead(TENANT, entries.size(), CompactRange.of(entries.size(), tree).root(), before,
        before == 0 ? List.of() : new Proofs(tree).consistency(before, entries.size()));
    var note = SignedNote
        .parse(((HeadSigned) clients.getFirst().ask(head)).checkpoint().toByteArray());
    var permitKey = signer.permitKey();
    var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    var requests = new ArrayList<Sign>();
    for (int i = before; i < entries.size(); i++) {
      var intent = intent(i);
      var permit = new Permit(UUID.randomUUID(), intent.spendId(), tree.hash(0, i), intent.hash(), now,
          now.plusSeconds(300));
      var proof = new LogProof(Optional.empty(), i, new Proofs(tree).inclusion(i, entries.size()), note);
      requests.add(new Sign(permit.sign(permitKey), Bytes.of(intent.encode()),
          Optional.of(new Evidence(Bytes.of(entries.get(i)), Bytes.of(proof.encode())))));
    }
    return requests;
  }

  private static long[] send(TestClient client, List<Sign> requests) throws IOException {
    var times = new long[requests.size()];
    for (int i = 0; i < times.length; i++) {
      long begun = System.nanoTime();
      var reply = client.ask(requests.get(i));
      times[i] = System.nanoTime() - begun;
      if (!(reply instanceof Signed)) {
        throw new IllegalStateException(reply.toString());
      }
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
