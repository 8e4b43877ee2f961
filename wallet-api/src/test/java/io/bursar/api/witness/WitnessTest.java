package io.bursar.api.witness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import com.sun.net.httpserver.HttpServer;

import io.bursar.log.AddCheckpoint;
import io.bursar.log.Checkpoint;
import io.bursar.log.CompactRange;
import io.bursar.log.Cosignature;
import io.bursar.log.HashSource;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.log.NoteSigner;
import io.bursar.log.Proofs;
import io.bursar.log.SignedNote;
import io.bursar.store.log.LogUnavailable;

/** A witness over real HTTP with its state on a real disk, and the client that shows it heads. */
class WitnessTest {
  private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-11-25T12:00:00Z"));
  private static final UUID TENANT = new UUID(1, 1);

  @TempDir
  Path directory = Path.of(".");
  private final NoteSigner log = NoteSigner.of("bursar.test/ten_1", NoteKey.Kind.ED25519, new byte[32]);

  private HashSource leaves(String history) {
    return new HashSource() {
      @Override
      public io.bursar.permit.Digest32 hash(int level, long index) {
        return level == 0
            ? Merkle.leafHash((history + index).getBytes(StandardCharsets.UTF_8))
            : Merkle.nodeHash(hash(level - 1, 2 * index), hash(level - 1, 2 * index + 1));
      }
    };
  }

  private SignedNote head(String history, long size) {
    var text = new Checkpoint(log.key().name(), size, CompactRange.of(size, leaves(history)).root()).text();
    return new SignedNote(text, List.of(log.sign(text)));
  }

  private AddCheckpoint request(String history, long oldSize, long size) {
    return new AddCheckpoint(oldSize,
        oldSize == 0 ? List.of() : new Proofs(leaves(history)).consistency(oldSize, size), head(history, size));
  }

  private Witness witness(String name) throws IOException {
    var home = directory.resolve(name);
    return new Witness(WitnessTool.key(home, Optional.of(name)), List.of(log.key()), home.resolve("seen"), CLOCK);
  }

  @Test
  void signsWhatGrowsAndNothingThatContradictsIt() throws Exception {
    var witness = witness("w1");
    var key = WitnessTool.key(directory.resolve("w1"), Optional.empty()).key();
    var signed = (Witness.Answer.Signed) witness.add(request("a", 0, 5));
    assertThat(head("a", 5).with(List.of(signed.signature())).verify(List.of(log.key(), key))).hasSize(2);
    assertThat(Cosignature.time(signed.signature())).isEqualTo(CLOCK.instant());
    var restarted = witness("w1");
    assertThat(restarted.add(request("a", 0, 7))).isEqualTo(new Witness.Answer.Conflict(5));
    assertThat(refused(restarted.add(request("b", 5, 7)))).isEqualTo(422);
    assertThat(refused(restarted.add(request("b", 5, 5)))).as("another root of the same size").isEqualTo(422);
    assertThat(restarted.add(request("a", 5, 5))).isInstanceOf(Witness.Answer.Signed.class);
    assertThat(restarted.add(request("a", 5, 7))).isInstanceOf(Witness.Answer.Signed.class);
    assertThat(refused(restarted.add(new AddCheckpoint(9, List.of(), head("a", 8))))).isEqualTo(400);
    var other = NoteSigner.of("else.test/log", NoteKey.Kind.ED25519, new byte[32]);
    var foreign = new Checkpoint("else.test/log", 0, Merkle.emptyRoot()).text();
    assertThat(refused(restarted.add(new AddCheckpoint(0, List.of(),
        new SignedNote(foreign, List.of(other.sign(foreign))))))).isEqualTo(404);
    var unsigned = head("a", 8);
    assertThat(refused(restarted.add(new AddCheckpoint(7, List.of(),
        new SignedNote(unsigned.text(), List.of(other.sign(unsigned.text()))))))).isEqualTo(403);
    assertThat(restarted.seen(Witness.hash(log.key().name()))).isPresent();
    assertThat(restarted.seen("../witness.key")).isEmpty();
  }

  private static int refused(Witness.Answer answer) {
    return ((Witness.Answer.Refused) answer).status();
  }

  @Test
  void aHeadCountsOnceTwoOfThreeWitnessesHaveSignedIt() throws Exception {
    var names = List.of("w1", "w2", "w3");
    var servers = new java.util.ArrayList<HttpServer>();
    var policy = new StringBuilder("# who watches\n");
    for (var name : names) {
      var server = WitnessTool.serve(witness(name), "127.0.0.1:0");
      servers.add(server);
      policy.append("witness ").append(name).append(' ')
          .append(WitnessTool.key(directory.resolve(name), Optional.empty()).key().text())
          .append(" http://127.0.0.1:").append(server.getAddress().getPort()).append('\n');
    }
    policy.append("group most 2 w1 w2 w3\nquorum most\n");
    var file = Files.writeString(directory.resolve("policy"), policy);
    var client = new WitnessClient(WitnessPolicy.read(file));
    servers.getFirst().stop(0);
    var keys = IntStream.of(1, 2).mapToObj(i -> policyKey(file, i)).toList();
    for (long size : new long[]{3, 4, 300}) {
      var cosigned = client.cosign(TENANT, head("a", size), old -> new Proofs(leaves("a")).consistency(old, size));
      assertThat(cosigned.verify(keys)).as("size %d", size).hasSize(2);
    }
    var again = new WitnessClient(WitnessPolicy.read(file));
    assertThat(again.cosign(TENANT, head("a", 301), old -> new Proofs(leaves("a")).consistency(old, 301))
        .verify(keys)).as("a client that does not know what they saw").hasSize(2);
    assertThatThrownBy(
        () -> client.cosign(TENANT, head("b", 302), old -> new Proofs(leaves("b")).consistency(old, 302)))
        .isInstanceOf(LogUnavailable.class).hasMessageContaining("only 0 of the 2 witnesses");
    servers.get(1).stop(0);
    assertThatThrownBy(
        () -> client.cosign(TENANT, head("a", 303), old -> new Proofs(leaves("a")).consistency(old, 303)))
        .isInstanceOf(LogUnavailable.class).hasMessageContaining("only 1 of the 2 witnesses");
    servers.get(2).stop(0);
  }

  private static NoteKey policyKey(Path file, int index) {
    try {
      return WitnessPolicy.read(file).witnesses().get(index).key();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void refusesPoliciesThatCannotBeMeant() throws Exception {
    var key = WitnessTool.key(directory.resolve("w1"), Optional.of("w1")).key().text();
    for (var wrong : List.of("witness w1 " + key, "witness w1 " + log.key().text() + " http://x", "quorum most",
        "group g any w9", "witness w1 " + key + " http://x\ngroup g 2 w1", "watcher w1")) {
      var file = Files.writeString(directory.resolve("policy"), wrong);
      assertThatThrownBy(() -> WitnessPolicy.read(file)).as(wrong).isInstanceOf(IOException.class)
          .hasMessageContaining("line ");
    }
    var none = Files.writeString(directory.resolve("policy"), "witness w1 " + key + " http://x\nquorum none\n");
    assertThat(WitnessPolicy.read(none).threshold()).isZero();
  }

  @Test
  void theToolMakesItsKeyOnceAndSaysHowItIsUsed() {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    var home = directory.resolve("tool").toString();
    assertThat(run(out, err, "--home", home)).isEqualTo(2);
    assertThat(run(out, err, "--home", home, "--name", "w.test")).isZero();
    assertThat(run(out, err, "--home", home)).isZero();
    assertThat(run(out, err, "--home", home, "--name", "other.test")).isEqualTo(2);
    assertThat(run(out, err, "--nonsense", "1")).isEqualTo(2);
    assertThat(run(out, err, "--help")).isZero();
    var lines = out.toString(StandardCharsets.UTF_8).lines().toList();
    assertThat(lines.get(0)).isEqualTo(lines.get(1)).startsWith("w.test+");
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("--name is missing", "cannot be renamed",
        "no option `--nonsense`");
  }

  private static int run(ByteArrayOutputStream out, ByteArrayOutputStream err, String... args) {
    return WitnessTool.run(args, new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8));
  }
}
