package io.bursar.verify;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Optional;

/** A log behind HTTP. What is answered with 429 or 503 is asked for again when the server says so. */
public final class HttpLog implements LogSource {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final int TRIES = 6;
  private static final int WAIT_SECONDS_MAX = 30;

  private final URI prefix;
  private final Optional<String> key;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10))
      .followRedirects(HttpClient.Redirect.NEVER).build();

  /**
   * @param prefix what the paths are below, such as {@code https://bursar.example/log/ten_…}
   * @param key sent as {@code Authorization: Bearer}
   */
  public HttpLog(URI prefix, Optional<String> key) {
    var text = prefix.toString();
    this.prefix = URI.create(text.endsWith("/") ? text : text + "/");
    this.key = key;
  }

  @Override
  public Optional<byte[]> read(String path, int bytesMax) throws IOException {
    var request = HttpRequest.newBuilder(prefix.resolve(path)).timeout(TIMEOUT);
    key.ifPresent(secret -> request.header("Authorization", "Bearer " + secret));
    try {
      for (int left = TRIES;; left--) {
        var response = http.send(request.build(), BodyHandlers.ofInputStream());
        try (var body = response.body()) {
          int status = response.statusCode();
          if (status == 200) {
            var bytes = body.readNBytes(bytesMax + 1);
            if (bytes.length > bytesMax) {
              throw new IOException("`" + path + "` has more than " + bytesMax + " bytes");
            }
            return Optional.of(bytes);
          }
          if (status == 404) {
            return Optional.empty();
          }
          if ((status != 429 && status != 503) || left == 1) {
            throw new IOException("the server answered " + status + " for `" + path + "`" + advice(status));
          }
          Thread.sleep(Duration.ofSeconds(wait(response.headers().firstValue("Retry-After").orElse("1"))));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while reading `" + path + "`", e);
    }
  }

  private static String advice(int status) {
    return status == 401 || status == 403
        ? "; set " + VerifyLog.KEY_VARIABLE + " to an auditor's key of that tenant"
        : "";
  }

  private static int wait(String seconds) {
    return seconds.matches("[0-9]{1,3}") ? Math.clamp(Integer.parseInt(seconds), 1, WAIT_SECONDS_MAX) : 1;
  }
}
