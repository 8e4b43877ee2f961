package io.bursar.api.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Stands between a client and a node, and misbehaves as a {@link Fault} says. */
public final class FaultProxy implements AutoCloseable {
  /** Decides for each request; {@link #pass} lets it through. */
  public interface Fault {
    Answer answer(JsonNode request, Node node) throws IOException, InterruptedException;
  }

  /** The node behind. */
  public interface Node {
    byte[] ask(JsonNode request) throws IOException, InterruptedException;
  }

  /** What the client gets. */
  public sealed interface Answer {
    record Reply(int status, byte[] body) implements Answer {}

    /** Status 429, and when to come back. */
    record Busy(int retryAfterSeconds) implements Answer {}

    /** The headers of a reply and the first half of it, then nothing. */
    record Half(byte[] body) implements Answer {}

    /** The connection is closed without a word. */
    record HangUp() implements Answer {}

    /** Nothing, for as long as the client waits. */
    record Silence() implements Answer {}
  }

  private final HttpServer server;
  private final URI node;
  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final JsonMapper json = JsonMapper.shared();
  private final List<String> sent = Collections.synchronizedList(new ArrayList<>());
  private final AtomicInteger asked = new AtomicInteger();
  private volatile Fault fault = FaultProxy::pass;

  public FaultProxy(URI node) {
    this.node = node;
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
  }

  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  public void fault(Fault next) {
    fault = next;
  }

  public static Answer pass(JsonNode request, Node node) throws IOException, InterruptedException {
    return new Answer.Reply(200, node.ask(request));
  }

  /** The fault for requests to send a transaction only. */
  public static Fault whenSending(Fault fault) {
    return (request, node) -> isSend(request) ? fault.answer(request, node) : pass(request, node);
  }

  /** The fault for the first such requests; then all goes well. */
  public static Fault times(int count, Fault fault) {
    var left = new AtomicInteger(count);
    return whenSending((request, node) -> left.getAndDecrement() > 0
        ? fault.answer(request, node)
        : pass(request, node));
  }

  /** An error of JSON-RPC in place of the node's answer. */
  public static Answer error(JsonNode request, String message) {
    var reply = JsonMapper.shared().createObjectNode().put("jsonrpc", "2.0");
    reply.set("id", request.get("id"));
    reply.putObject("error").put("code", -32000).put("message", message);
    return new Answer.Reply(200, JsonMapper.shared().writeValueAsBytes(reply));
  }

  /** An answer with its result replaced. */
  public static Answer result(JsonNode request, JsonNode result) {
    ObjectNode reply = JsonMapper.shared().createObjectNode().put("jsonrpc", "2.0");
    reply.set("id", request.get("id"));
    reply.set("result", result);
    return new Answer.Reply(200, JsonMapper.shared().writeValueAsBytes(reply));
  }

  public static boolean isSend(JsonNode request) {
    return request.path("method").asString("").equals("eth_sendRawTransaction");
  }

  /** The raw transactions that were given to this proxy, in order, also those that it did not pass on. */
  public List<String> sent() {
    return List.copyOf(sent);
  }

  /** How many questions were put to it. */
  public int asked() {
    return asked.get();
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      switch (answer(json.readTree(exchange.getRequestBody().readAllBytes()))) {
        case Answer.Reply(var status, var body) -> {
          exchange.sendResponseHeaders(status, body.length);
          exchange.getResponseBody().write(body);
        }
        case Answer.Busy(var seconds) -> {
          exchange.getResponseHeaders().set("Retry-After", Integer.toString(seconds));
          exchange.sendResponseHeaders(429, -1);
        }
        case Answer.Half(var body) -> {
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body, 0, body.length / 2);
          exchange.getResponseBody().flush();
          Thread.sleep(20_000);
        }
        case Answer.HangUp() -> {
        }
        case Answer.Silence() -> Thread.sleep(20_000);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Each request of a batch meets the fault by itself; what is more than a reply is the answer to all of them. */
  private Answer answer(JsonNode request) throws IOException, InterruptedException {
    if (!request.isArray()) {
      asked.incrementAndGet();
      if (isSend(request)) {
        sent.add(request.path("params").path(0).asString(""));
      }
      return fault.answer(request, this::ask);
    }
    var replies = json.createArrayNode();
    for (var one : request) {
      var answer = answer(one);
      if (!(answer instanceof Answer.Reply(var status, var body) && status == 200 && body.length > 0
          && body[0] == '{')) {
        return answer;
      }
      replies.add(json.readTree(body));
    }
    return new Answer.Reply(200, json.writeValueAsBytes(replies));
  }

  private byte[] ask(JsonNode request) throws IOException, InterruptedException {
    return http.send(HttpRequest.newBuilder(node).header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofByteArray(json.writeValueAsBytes(request))).build(),
        HttpResponse.BodyHandlers.ofByteArray()).body();
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
    http.shutdownNow();
  }
}
