package io.bursar.api.chain;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * JSON-RPC 2.0 over HTTP to one node. Every call is bounded in time and size and ends in an {@link RpcReply}; it never throws for
 * what a node does.
 *
 * <p>Questions that come while as many requests as allowed are under way wait for one of them and then go together in one, as a
 * batch: a lone question never waits, and many cost little more than one. A node that takes no batches gets none any more.
 *
 * @see <a href="https://www.jsonrpc.org/specification">JSON-RPC 2.0</a>
 */
public final class JsonRpc implements Rpc {
  /** The most bytes of an answer that are read. */
  private static final int ANSWER_BYTES_MAX = 4 << 20;
  private static final int MESSAGE_LENGTH_MAX = 500;
  private static final int OK = 200;
  private static final int TOO_MANY_REQUESTS = 429;
  private static final int REQUESTS_AT_ONCE = 4;
  private static final int BATCH_MAX = 50;

  private final URI endpoint;
  private final Duration timeout;
  private final HttpClient http;
  private final JsonMapper json = JsonMapper.builder(JsonFactory.builder()
      .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(32).build()).build()).build();
  private final AtomicLong lastId = new AtomicLong();
  private final List<Line> lines = Stream.generate(Line::new).limit(REQUESTS_AT_ONCE).toList();
  private volatile boolean batches = true;

  /**
   * A client of one endpoint.
   *
   * @param timeout for connecting, and again for the whole exchange; a question may wait for one exchange before its own
   */
  public JsonRpc(URI endpoint, Duration timeout) {
    this.endpoint = endpoint;
    this.timeout = timeout;
    this.http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(timeout).build();
  }

  /** A question, and its reply once there is one; the reply is written and read under the line's lock. */
  private static final class Asked {
    private final long id;
    private final ObjectNode body;
    private @Nullable RpcReply reply;

    Asked(long id, ObjectNode body) {
      this.id = id;
      this.body = body;
    }
  }

  /** A request at a time, and what waits for the next one. */
  private static final class Line {
    private final ReentrantLock asking = new ReentrantLock();
    private final Queue<Asked> waiting = new ConcurrentLinkedQueue<>();
  }

  @Override
  public RpcReply call(String method, Object... params) {
    return callTogether(List.of(Question.of(method, params))).getFirst();
  }

  @Override
  public List<RpcReply> callTogether(List<Question> questions) {
    if (questions.isEmpty()) {
      return List.of();
    }
    var asked = questions.stream().map(this::asked).toList();
    var line = lines.get((int) (asked.getFirst().id % lines.size()));
    line.waiting.addAll(asked);
    line.asking.lock();
    try {
      var replies = new ArrayList<RpcReply>();
      for (var question : asked) {
        while (question.reply == null) {
          askWaiting(line);
        }
        replies.add(question.reply);
      }
      return replies;
    } finally {
      line.asking.unlock();
    }
  }

  private Asked asked(Question question) {
    long id = lastId.incrementAndGet();
    var body = json.createObjectNode().put("jsonrpc", "2.0").put("id", id).put("method", question.method());
    var array = body.putArray("params");
    for (var param : question.params()) {
      array.add(json.valueToTree(param));
    }
    return new Asked(id, body);
  }

  private void askWaiting(Line line) {
    var questions = new ArrayList<Asked>();
    int most = batches ? BATCH_MAX : 1;
    for (var next = line.waiting.poll(); next != null; next = line.waiting.poll()) {
      questions.add(next);
      if (questions.size() == most) {
        break;
      }
    }
    if (questions.size() == 1) {
      var only = questions.getFirst();
      only.reply = exchange(only.body, response -> single(response, only.id), reply -> reply);
      return;
    }
    Map<Long, RpcReply> replies = exchange(json.createArrayNode().addAll(questions.stream().map(q -> q.body).toList()),
        this::batch, silence -> Map.of());
    for (var question : questions) {
      question.reply = replies.get(question.id);
      if (question.reply == null) {
        // Once more by itself: the node may take no batches, or may have answered only a part of this one.
        question.reply = exchange(question.body, response -> single(response, question.id), reply -> reply);
      }
    }
  }

  private <T> T exchange(JsonNode body, Function<HttpResponse<byte[]>, T> read, Function<RpcReply.Silence, T> silent) {
    var request = HttpRequest.newBuilder(endpoint).timeout(timeout).header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofByteArray(json.writeValueAsBytes(body))).build();
    // The time-out of a request ends with the answer's headers; that of the future also bounds an answer that stops half way.
    var exchange = http.sendAsync(request, BodyHandlers.limiting(BodyHandlers.ofByteArray(), ANSWER_BYTES_MAX));
    try {
      return read.apply(exchange.get(timeout.toMillis(), TimeUnit.MILLISECONDS));
    } catch (TimeoutException e) {
      exchange.cancel(true);
      return silent.apply(new RpcReply.Silence("the node did not answer within " + timeout.toMillis() + " ms"));
    } catch (ExecutionException e) {
      return silent.apply(new RpcReply.Silence("the node cannot be reached: " + reason(e.getCause())));
    } catch (InterruptedException e) {
      exchange.cancel(true);
      Thread.currentThread().interrupt();
      return silent.apply(new RpcReply.Silence("interrupted while waiting for the node"));
    }
  }

  private RpcReply single(HttpResponse<byte[]> response, long id) {
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
    return id(answer).filter(answered -> answered == id).isPresent()
        ? read(answer, retryAfter(response))
        : new RpcReply.Silence("the node's answer (HTTP status " + status + ") is not to this request");
  }

  /** The replies that a batch came back with, by the question's id. */
  private Map<Long, RpcReply> batch(HttpResponse<byte[]> response) {
    var replies = new HashMap<Long, RpcReply>();
    try {
      var answers = json.readTree(response.body());
      if (response.statusCode() == OK && answers.isArray()) {
        answers.forEach(answer -> id(answer).ifPresent(id -> replies.put(id, read(answer, Optional.empty()))));
      } else if (response.statusCode() < 500 && response.statusCode() != TOO_MANY_REQUESTS) {
        batches = false;
      }
    } catch (JacksonException notJson) {
      // Nothing is known; each question is asked by itself.
    }
    return replies;
  }

  private static Optional<Long> id(JsonNode answer) {
    var id = answer.get("id");
    return id == null || !id.isIntegralNumber() || !id.canConvertToLong()
        ? Optional.empty()
        : Optional.of(id.longValue());
  }

  private static RpcReply read(JsonNode answer, Optional<Duration> retryAfter) {
    var error = answer.get("error");
    if (error != null && !error.isNull()) {
      var code = error.path("code");
      var refusal = new RpcReply.Refusal(code.canConvertToLong() ? code.longValue() : 0,
          shortened(error.path("message").asString("")));
      return NodeWords.isBusy(refusal)
          ? new RpcReply.Silence("the node is busy: " + refusal.message(), retryAfter)
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
