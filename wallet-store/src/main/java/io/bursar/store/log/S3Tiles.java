package io.bursar.store.log;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.regex.Pattern;

import io.bursar.log.TilePath;
import io.bursar.spend.Id;
import io.bursar.store.Database;

/**
 * Tiles as objects in an S3-compatible store, laid out as C2SP tlog-tiles has them below {@code <prefix>/<tenant>/}. They are put
 * with {@code If-None-Match: *}, so that not even two processes at once can write over one; a store that does not know that header
 * must not be used. With a retention lock on the bucket nobody can.
 */
public final class S3Tiles implements TileStore, AutoCloseable {
  /**
   * Where the store is.
   *
   * @param endpoint such as {@code https://s3.eu-central-1.amazonaws.com}; buckets are named in the path
   * @param prefix below which the tenants' logs are, without slashes at its ends; may be empty
   */
  public record Settings(URI endpoint, String region, String bucket, String prefix, String accessKey,
      Database.Secret secretKey) {
    private static final Pattern BUCKET = Pattern.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]");
    private static final Pattern PREFIX = Pattern.compile("([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)?");

    public Settings {
      if (!BUCKET.matcher(bucket).matches()) {
        throw new IllegalArgumentException("no name of a bucket: `" + bucket + "`");
      }
      if (!PREFIX.matcher(prefix).matches() || prefix.length() > 512) {
        throw new IllegalArgumentException("a prefix has letters, digits and `_.-/`, not `" + prefix + "`");
      }
    }
  }

  private static final int BYTES_MAX = 256 * (2 + 0xffff);
  private static final int AT_ONCE = 16;
  private static final int TRIES = 4;
  private static final Duration PAUSE = Duration.ofMillis(100);
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final byte[] NOTHING = {};

  private final Settings settings;
  private final AwsSignature signature;
  private final Clock clock;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5))
      .version(HttpClient.Version.HTTP_1_1).followRedirects(HttpClient.Redirect.NEVER).build();
  private final ExecutorService writers = Executors.newVirtualThreadPerTaskExecutor();
  private final Semaphore atOnce = new Semaphore(AT_ONCE);

  public S3Tiles(Settings settings, Clock clock) {
    this.settings = settings;
    this.signature = new AwsSignature(settings.accessKey(), settings.secretKey(), settings.region());
    this.clock = clock;
  }

  @Override
  public Optional<byte[]> read(UUID tenantId, TilePath path) throws IOException {
    var response = send("GET", tenantId, path, NOTHING);
    return switch (response.statusCode()) {
      case 200 -> Optional.of(response.body());
      case 404 -> Optional.empty();
      default -> throw refused(response, "GET", path);
    };
  }

  /** All at once, up to a bound; if one fails, others may be there, and writing again finds them. */
  @Override
  public void write(UUID tenantId, List<Written> tiles) throws IOException, Conflict {
    var puts = new ArrayList<Callable<Boolean>>(tiles.size());
    for (var tile : tiles) {
      puts.add(() -> {
        atOnce.acquire();
        try {
          return put(tenantId, tile);
        } finally {
          atOnce.release();
        }
      });
    }
    try {
      var written = writers.invokeAll(puts);
      for (int i = 0; i < written.size(); i++) {
        if (!written.get(i).get()) {
          throw new Conflict(tiles.get(i).path());
        }
      }
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException failed ? failed : new IOException(e.getCause());
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /** Whether what is there afterwards is what was to be written. */
  private boolean put(UUID tenantId, Written tile) throws IOException {
    var response = send("PUT", tenantId, tile.path(), tile.bytes());
    return switch (response.statusCode()) {
      case 200, 201 -> true;
      case 412 -> Arrays.equals(tile.bytes(), read(tenantId, tile.path())
          .orElseThrow(() -> new IOException("`" + tile.path().text() + "` is there and cannot be read")));
      default -> throw refused(response, "PUT", tile.path());
    };
  }

  private HttpResponse<byte[]> send(String method, UUID tenantId, TilePath path, byte[] body) throws IOException {
    IOException last = null;
    for (int attempt = 0; attempt < TRIES; attempt++) {
      try {
        if (attempt > 0) {
          Thread.sleep(PAUSE.multipliedBy(1L << (attempt - 1)));
        }
        var response = http.send(request(method, tenantId, path, body),
            BodyHandlers.limiting(BodyHandlers.ofByteArray(), BYTES_MAX));
        if (!isPassing(response.statusCode())) {
          return response;
        }
        last = refused(response, method, path);
      } catch (IOException e) {
        last = e;
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }
    throw new IOException("the tile store does not answer", last);
  }

  /** Another put of the same object at the same time (409), or too much at once, or a fault of the store. */
  private static boolean isPassing(int status) {
    return status == 409 || status == 429 || status >= 500;
  }

  private HttpRequest request(String method, UUID tenantId, TilePath path, byte[] body) {
    var place = "/" + settings.bucket() + "/" + (settings.prefix().isEmpty() ? "" : settings.prefix() + "/")
        + Id.TENANT.text(tenantId) + "/" + path.text();
    var uri = settings.endpoint().resolve(place);
    var headers = new TreeMap<String, String>();
    headers.put("host", uri.getRawAuthority());
    headers.put("x-amz-content-sha256", AwsSignature.hash(body));
    headers.put("x-amz-date", AwsSignature.time(clock.instant()));
    if (method.equals("PUT")) {
      headers.put("if-none-match", "*");
    }
    var request = HttpRequest.newBuilder(uri).timeout(TIMEOUT)
        .method(method, body.length == 0 ? BodyPublishers.noBody() : BodyPublishers.ofByteArray(body))
        .header("Authorization", signature.authorization(method, place, headers));
    headers.remove("host"); // the client writes it itself
    headers.forEach(request::header);
    return request.build();
  }

  /** What the store says beside the status may name keys; it is not repeated. */
  private static IOException refused(HttpResponse<byte[]> response, String method, TilePath path) {
    return new IOException("the tile store answered " + response.statusCode() + " to " + method + " `" + path.text()
        + "`");
  }

  private static IOException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new IOException("interrupted", e);
  }

  @Override
  public void close() {
    writers.shutdownNow();
    http.shutdownNow();
  }
}
