package io.bursar.store.log;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

/** Speaks as much of the S3 API as keeping objects takes, and checks every signature by the specification. */
final class S3Server implements AutoCloseable {
  static final String ACCESS_KEY = "test-access";
  static final String SECRET_KEY = "test-secret-0123456789";
  static final String REGION = "test-region-1";
  private static final Pattern AUTHORIZATION = Pattern.compile("AWS4-HMAC-SHA256 Credential=" + ACCESS_KEY
      + "/([0-9]{8})/" + REGION + "/s3/aws4_request,SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})");

  final Map<String, byte[]> objects = new ConcurrentHashMap<>();
  /** What the next requests are answered with, whatever they ask. */
  final Queue<Integer> faults = new ConcurrentLinkedQueue<>();
  private final HttpServer server;

  S3Server() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", this::answer);
    server.start();
  }

  S3Tiles.Settings settings(String secretKey) {
    return new S3Tiles.Settings(URI.create("http://127.0.0.1:" + server.getAddress().getPort()), REGION, "logs", "a/b",
        ACCESS_KEY, new io.bursar.store.Database.Secret(secretKey));
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      var body = exchange.getRequestBody().readAllBytes();
      var fault = faults.poll();
      if (fault != null) {
        exchange.sendResponseHeaders(fault, -1);
      } else if (!isSigned(exchange, body)) {
        exchange.sendResponseHeaders(403, -1);
      } else if (exchange.getRequestMethod().equals("PUT")) {
        boolean isFree = objects.putIfAbsent(exchange.getRequestURI().getRawPath(), body) == null;
        boolean onlyIfFree = "*".equals(exchange.getRequestHeaders().getFirst("If-None-Match"));
        exchange.sendResponseHeaders(isFree ? 200 : onlyIfFree ? 412 : 500, -1);
      } else {
        var object = objects.get(exchange.getRequestURI().getRawPath());
        exchange.sendResponseHeaders(object == null ? 404 : 200, object == null ? -1 : object.length);
        if (object != null) {
          exchange.getResponseBody().write(object);
        }
      }
    }
  }

  private static boolean isSigned(HttpExchange exchange, byte[] body) {
    var headers = exchange.getRequestHeaders();
    var match = AUTHORIZATION.matcher(String.valueOf(headers.getFirst("Authorization")));
    var bodyHash = HexFormat.of().formatHex(sha256(body));
    if (!match.matches() || !bodyHash.equals(headers.getFirst("x-amz-content-sha256"))) {
      return false;
    }
    var names = match.group(2).split(";", -1);
    if (!Arrays.asList(names).containsAll(java.util.List.of("host", "x-amz-content-sha256", "x-amz-date"))) {
      return false;
    }
    var canonical = new StringBuilder(exchange.getRequestMethod()).append('\n')
        .append(exchange.getRequestURI().getRawPath()).append("\n\n");
    for (var name : names) {
      canonical.append(name).append(':').append(headers.getFirst(name)).append('\n');
    }
    canonical.append('\n').append(match.group(2)).append('\n').append(bodyHash);
    var toSign = "AWS4-HMAC-SHA256\n" + headers.getFirst("x-amz-date") + "\n" + match.group(1) + "/" + REGION
        + "/s3/aws4_request\n" + HexFormat.of().formatHex(sha256(utf8(canonical.toString())));
    var key = hmac(hmac(hmac(hmac(utf8("AWS4" + SECRET_KEY), match.group(1)), REGION), "s3"), "aws4_request");
    return HexFormat.of().formatHex(hmac(key, toSign)).equals(match.group(3));
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(utf8(text));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
