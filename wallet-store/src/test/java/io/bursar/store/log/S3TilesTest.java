package io.bursar.store.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Executors;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.log.TilePath;
import io.bursar.spend.Id;
import io.bursar.store.Database;
import io.bursar.store.Fixture;

/** Tiles in an S3-compatible store, which checks the signature of every request. */
class S3TilesTest {
  private static final TilePath PATH = new TilePath(0, 1_234_067, 256);

  private final UUID tenant = UUID.fromString("0199a1c2-7a2c-70e8-8000-000000000001");
  private S3Server server;
  private S3Tiles tiles;

  @BeforeEach
  void open() throws IOException {
    server = new S3Server();
    tiles = new S3Tiles(server.settings(S3Server.SECRET_KEY), Clock.systemUTC());
  }

  @AfterEach
  void close() {
    tiles.close();
    server.close();
  }

  private static List<TileStore.Written> written(TilePath path, String bytes) {
    return List.of(new TileStore.Written(path, bytes.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
  }

  /** The example "GET Object" of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header". */
  @Test
  void signsAsTheSpecificationsExample() {
    var signature = new AwsSignature("AKIAIOSFODNN7EXAMPLE",
        new Database.Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "us-east-1");
    var headers = new TreeMap<>(Map.of("host", "examplebucket.s3.amazonaws.com", "range", "bytes=0-9",
        "x-amz-content-sha256", AwsSignature.hash(new byte[0]), "x-amz-date",
        AwsSignature.time(Instant.parse("2013-05-24T00:00:00Z"))));
    assertThat(signature.authorization("GET", "/test.txt", headers)).isEqualTo("AWS4-HMAC-SHA256 "
        + "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    assertThat(signature.toString()).doesNotContain("wJalr");
  }

  @Test
  void whatWasWrittenOnceStaysAndAnotherHistoryIsAConflict() throws Exception {
    assertThat(tiles.read(tenant, PATH)).isEmpty();
    tiles.write(tenant, written(PATH, "first"));
    tiles.write(tenant, written(PATH, "first"));
    assertThat(server.objects).containsOnlyKeys("/logs/a/b/" + Id.TENANT.text(tenant) + "/tile/0/x001/x234/067");
    assertThatThrownBy(() -> tiles.write(tenant, written(PATH, "other"))).isInstanceOf(TileStore.Conflict.class);
    assertThat(tiles.read(tenant, PATH)).get().isEqualTo("first".getBytes(java.nio.charset.StandardCharsets.UTF_8));
  }

  @Test
  void ofManyThatWriteAtOnceOneHistoryWins() throws Exception {
    var outcomes = new ArrayList<Boolean>();
    try (var writers = Executors.newVirtualThreadPerTaskExecutor()) {
      var running = new ArrayList<java.util.concurrent.Future<Boolean>>();
      for (int i = 0; i < 20; i++) {
        var bytes = "history " + i % 2;
        running.add(writers.submit(() -> {
          try {
            tiles.write(tenant, written(PATH, bytes));
            return true;
          } catch (TileStore.Conflict other) {
            return false;
          }
        }));
      }
      for (var writer : running) {
        outcomes.add(writer.get());
      }
    }
    assertThat(outcomes).filteredOn(wrote -> wrote).hasSize(10);
  }

  @Test
  void triesAgainWhatPassesAndSaysWhatDoesNot() throws Exception {
    server.faults.addAll(List.of(503, 409, 500));
    tiles.write(tenant, written(PATH, "first"));
    server.faults.addAll(List.of(503, 503, 503, 503));
    assertThatThrownBy(() -> tiles.read(tenant, PATH)).isInstanceOf(IOException.class)
        .hasMessage("the tile store does not answer");
    try (var wrong = new S3Tiles(server.settings("another secret"), Clock.systemUTC())) {
      assertThatThrownBy(() -> wrong.read(tenant, PATH)).hasMessageContaining("403").hasMessageNotContaining("secret");
    }
    assertThatThrownBy(() -> new S3Tiles.Settings(server.settings("x").endpoint(), "r", "Logs/..", "", "a",
        new Database.Secret("b"))).isInstanceOf(IllegalArgumentException.class);
  }

  /** A crash after some of a round's tiles were put leaves what the next round finds as it would write it. */
  @Test
  void aLogIsLaidIntoTheStoreAndServedFromIt() throws Exception {
    try (var store = new Fixture()) {
      var signer = new KeyHolder();
      var log = new Log(store.database, store.audit, tiles, signer, Cosigners.NONE, (tenantId, why) -> {});
      store.database.inTransaction(() -> {
        for (int i = 0; i < 600; i++) {
          store.audit.write(store.audit.next(store.tenant), "test.entry", null, "test",
              Json.object().put("n", i).build());
        }
      });
      server.faults.addAll(List.of(503, 403));
      assertThatThrownBy(() -> log.catchUp(store.tenant)).isInstanceOf(LogUnavailable.class);
      log.catchUp(store.tenant);
      assertThat(server.objects).hasSize(4);
      var state = log.state(store.tenant);
      assertThat(state.checkpointSize()).isGreaterThan(600);
      var bundle = log.tile(store.tenant, state, new TilePath(TilePath.ENTRIES, 1, 256)).orElseThrow();
      assertThat(server.objects.values()).anyMatch(object -> java.util.Arrays.equals(object, bundle));
      assertThat(log.differences(store.tenant)).isEmpty();
      var tile = server.objects.keySet().stream().filter(path -> path.endsWith("tile/0/001")).findFirst().orElseThrow();
      Objects.requireNonNull(server.objects.get(tile))[0] ^= 1;
      assertThat(log.differences(store.tenant)).hasSize(1);
    }
  }
}
