package io.bursar.api.chain;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

import org.jspecify.annotations.Nullable;

import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * JSON-RPC 2.0 over HTTP to one node. Every call is bounded in time and size and ends in an {@link RpcReply}; it never throws for
 * what a node does.
 *
 * @see <a href="https://www.jsonrpc.org/specification">JSON-RPC 2.0</a>
 */
public final class JsonRpc implements Rpc {
  /** The most bytes of an answer that are read. */
  private static final int ANSWER_BYTES_MAX = 4 << 20;
  private static final int MESSAGE_LENGTH_MAX = 500;
  private static final int TOO_MANY_REQUESTS = 429;

  private final URI endpoint;
  private final Duration timeout;
  private final HttpClient http;
  private final JsonMapper json = JsonMapper.builder(JsonFactory.builder()
      .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(32).build()).build()).build();
  private final AtomicLong lastId = new AtomicLong();

  /**
   * A client of one endpoint.
   *
   * @param timeout for connecting, and again for the whole exchange
   */
  public JsonRpc(URI endpoint, Duration timeout) {
    this.endpoint = endpoint;
    this.timeout = timeout;
    this.http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(timeout).build();
  }

  @Override
  public RpcReply call(String method, Object... params) {
    long id = lastId.incrementAndGet();
    var body = json.createObjectNode().put("jsonrpc", "2.0").put("id", id).put("method", method);
    var array = body.putArray("params");
    for (var param : params) {
      array.add(json.valueToTree(param));
    }
    var request = HttpRequest.newBuilder(endpoint).timeout(timeout).header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(json.writeValueAsString(body), StandardCharsets.UTF_8)).build();
    // The time-out of a request ends with the answer's headers; that of the future also bounds an answer that stops half way.
    var exchange = http.sendAsync(request, BodyHandlers.limiting(BodyHandlers.ofByteArray(), ANSWER_BYTES_MAX));
    try {
      return read(exchange.get(timeout.toMillis(), TimeUnit.MILLISECONDS), id);
    } catch (TimeoutException e) {
      exchange.cancel(true);
      return new RpcReply.Silence("the node did not answer within " + timeout.toMillis() + " ms");
    } catch (ExecutionException e) {
      return new RpcReply.Silence("the node cannot be reached: " + reason(e.getCause()));
    } catch (InterruptedException e) {
      exchange.cancel(true);
      Thread.currentThread().interrupt();
      return new RpcReply.Silence("interrupted while waiting for the node");
    }
  }

  private RpcReply read(HttpResponse<byte[]> response, long id) {
    int status = response.statusCode();
    // Some nodes send a refusal with a status of 400; a text with our id in it is the node's own answer all the same.
    if (status >= 500 || status == TOO_MANY_REQUESTS) {
      return new RpcReply.Silence("the node answered with HTTP status " + status, retryAfter(response));
    }
    JsonNode answer;
    try {
      answer = json.readTree(response.body());
    } catch (JacksonException e) {
      return new RpcReply.Silence("the node's answer (HTTP status " + status + ") is not JSON");
    }
    var answeredId = answer.get("id");
    if (answeredId == null || !answeredId.isIntegralNumber() || !answeredId.bigIntegerValue().equals(bigInteger(id))) {
      return new RpcReply.Silence("the node's answer (HTTP status " + status + ") is not to this request");
    }
    var error = answer.get("error");
    if (error != null && !error.isNull()) {
      var code = error.path("code");
      var refusal = new RpcReply.Refusal(code.canConvertToLong() ? code.longValue() : 0,
          shortened(error.path("message").asString("")));
      return NodeWords.isBusy(refusal)
          ? new RpcReply.Silence("the node is busy: " + refusal.message(), retryAfter(response))
          : refusal;
    }
    var result = answer.get("result");
    return result == null ? new RpcReply.Silence("the node's answer has no result") : new RpcReply.Result(result);
  }

  /** What {@code Retry-After} says (RFC 9110, section 10.2.3): seconds or a date, within bounds. */
  private static Optional<Duration> retryAfter(HttpResponse<byte[]> response) {
    return response.headers().firstValue("Retry-After").flatMap(text -> {
      try {
        var wanted = text.matches("[0-9]{1,9}")
            ? Duration.ofSeconds(Long.parseLong(text))
            : Duration.between(Instant.now(), ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME));
        return wanted.isNegative() ? Optional.empty() : Optional.of(wanted);
      } catch (DateTimeException notADate) {
        return Optional.empty();
      }
    });
  }

  private static java.math.BigInteger bigInteger(long value) {
    return java.math.BigInteger.valueOf(value);
  }

  private static String shortened(String message) {
    var clean = message.replaceAll("\\p{Cntrl}", " ").strip();
    return clean.length() <= MESSAGE_LENGTH_MAX ? clean : clean.substring(0, MESSAGE_LENGTH_MAX);
  }

  /** The kind of failure; its message could hold the endpoint, and with it a provider's key. */
  private static String reason(@Nullable Throwable cause) {
    return switch (cause) {
      case java.net.ConnectException _ -> "connection refused";
      case java.net.http.HttpTimeoutException _ -> "time-out";
      case IOException e -> e.getClass().getSimpleName().replaceAll("(?<=.)([A-Z])", " $1").toLowerCase(Locale.ROOT);
      case null, default -> "unexpected failure";
    };
  }

  @Override
  public void close() {
    http.shutdownNow();
  }
}
