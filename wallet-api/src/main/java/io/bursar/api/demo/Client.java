package io.bursar.api.demo;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

import io.bursar.json.Json;
import io.bursar.json.JsonText;

/** Calls the API as any client would. */
public final class Client {
  private static final Duration TIMEOUT = Duration.ofSeconds(75);

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
  private final URI api;

  public Client(URI api) {
    this.api = api;
  }

  /** An answer: its status and its JSON. */
  public record Answer(int status, Json.Obj body, boolean replayed) {
    /** A text somewhere in the answer, such as {@code decision.effect}; empty where there is none. */
    public String text(String path) {
      return find(path).map(value -> switch (value) {
        case Json.Str(var text) -> text;
        case Json.Num(var number) -> Long.toString(number);
        case Json.Bool(var bool) -> Boolean.toString(bool);
        case Json.Null none -> "";
        case Json.Arr array -> new String(JsonText.inOrder(array), java.nio.charset.StandardCharsets.UTF_8);
        case Json.Obj object -> new String(JsonText.inOrder(object), java.nio.charset.StandardCharsets.UTF_8);
      }).orElse("");
    }

    public List<Json> list(String path) {
      return find(path).map(value -> value instanceof Json.Arr(var items) ? items : List.<Json>of()).orElse(List.of());
    }

    private Optional<Json> find(String path) {
      Json at = body;
      for (var name : path.split("\\.")) {
        Json next = at instanceof Json.Obj object
            ? object.get(name)
            : at instanceof Json.Arr(var items) && name.matches("[0-9]+") && Integer.parseInt(name) < items.size()
                ? items.get(Integer.parseInt(name))
                : null;
        if (next == null) {
          return Optional.empty();
        }
        at = next;
      }
      return Optional.of(at);
    }
  }

  public Answer get(String path, String key) throws IOException, InterruptedException {
    return send(request(path, key).GET());
  }

  public Answer post(String path, String key, Json body, String... headers) throws IOException, InterruptedException {
    var request = request(path, key).POST(BodyPublishers.ofByteArray(JsonText.inOrder(body)));
    return send(headers.length == 0 ? request : request.headers(headers));
  }

  public Answer put(String path, String key, Json body) throws IOException, InterruptedException {
    return send(request(path, key).PUT(BodyPublishers.ofByteArray(JsonText.inOrder(body))));
  }

  /** A call to an EVM node. */
  Answer rpc(URI node, String method, Json params) throws IOException, InterruptedException {
    var body = Json.object().put("jsonrpc", "2.0").put("id", 1).put("method", method).put("params", params).build();
    return send(HttpRequest.newBuilder(node).timeout(TIMEOUT).header("Content-Type", "application/json")
        .POST(BodyPublishers.ofByteArray(JsonText.inOrder(body))));
  }

  private HttpRequest.Builder request(String path, String key) {
    return HttpRequest.newBuilder(api.resolve(path)).timeout(TIMEOUT).header("Authorization", "Bearer " + key)
        .header("Content-Type", "application/json");
  }

  private Answer send(HttpRequest.Builder request) throws IOException, InterruptedException {
    var response = http.send(request.build(), BodyHandlers.ofByteArray());
    try {
      var body = response.body().length == 0 ? Json.object().build() : JsonText.parse(response.body());
      return new Answer(response.statusCode(),
          body instanceof Json.Obj object ? object : Json.object().put("data", body).build(),
          response.headers().firstValue("Idempotent-Replayed").isPresent());
    } catch (JsonText.Malformed e) {
      throw new IOException(
          "`" + response.uri() + "` answered " + response.statusCode() + " with something else than JSON", e);
    }
  }
}
