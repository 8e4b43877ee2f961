package io.bursar.api.operations;

import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;

/** {@code deploy/bursar doctor}: says on one screen what is stuck on a running instance, and why. */
public final class DoctorTool {
  /** Nothing is stuck. */
  static final int WELL = 0;
  /** Something is stuck. */
  static final int STUCK = 1;
  /** It could not be found out. */
  static final int UNKNOWN = 2;

  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final int LINES_MAX = 20;
  private static final String USAGE = """
      usage: deploy/bursar doctor [--json]

      Says what is stuck on the instance at BURSAR_URL and why, asked with the operator's key in BURSAR_ADMIN_KEY; the launcher knows both of
      the instance that it runs. What to do about it is in deploy/runbook.md.
      Exit code: 0 nothing is stuck, 1 something is, 2 it could not be found out.""";

  private final Map<String, String> environment;
  private final PrintStream out;
  private final Clock clock;

  DoctorTool(Map<String, String> environment, PrintStream out, Clock clock) {
    this.environment = environment;
    this.out = out;
    this.clock = clock;
  }

  public static void main(String[] arguments) {
    System.exit(new DoctorTool(System.getenv(), System.out, Clock.systemUTC()).run(List.of(arguments)));
  }

  int run(List<String> arguments) {
    if (arguments.equals(List.of("--help"))) {
      out.println(USAGE);
      return WELL;
    }
    boolean asJson = arguments.equals(List.of("--json"));
    if (!asJson && !arguments.isEmpty()) {
      out.println(USAGE);
      return UNKNOWN;
    }
    try {
      var diagnosis = ask();
      out.println(asJson ? new String(JsonText.inOrder(diagnosis), StandardCharsets.UTF_8) : text(diagnosis));
      return findings(diagnosis).isEmpty() ? WELL : STUCK;
    } catch (IOException e) {
      out.println("bursar: the instance cannot be asked: " + e.getMessage());
      return UNKNOWN;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return UNKNOWN;
    }
  }

  private Json.Obj ask() throws IOException, InterruptedException {
    var url = environment.getOrDefault("BURSAR_URL", "http://127.0.0.1:8080").replaceFirst("/+$", "");
    try (var http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build()) {
      var answer = http.send(HttpRequest.newBuilder(URI.create(url + "/v1/diagnosis")).timeout(TIMEOUT)
          .header("Authorization", "Bearer " + environment.getOrDefault("BURSAR_ADMIN_KEY", "")).build(),
          BodyHandlers.ofByteArray());
      if (answer.statusCode() == 200 && JsonText.parse(answer.body()) instanceof Json.Obj diagnosis) {
        return diagnosis;
      }
      throw new IOException(
          "`" + url + "` answered with HTTP status " + answer.statusCode() + switch (answer.statusCode()) {
            case 401 -> ", set BURSAR_ADMIN_KEY to the operator's key";
            case 403 -> ", the key in BURSAR_ADMIN_KEY is not the operator's";
            case 503 -> ", its database does not answer";
            default -> "";
          });
    } catch (IllegalArgumentException | JsonText.Malformed e) {
      throw new IOException("`" + url + "` is not the URL of an instance", e);
    } catch (java.net.ConnectException e) {
      throw new IOException("nobody answers at `" + url + "`", e);
    }
  }

  private static List<Json> findings(Json.Obj diagnosis) {
    return diagnosis.get("findings") instanceof Json.Arr(var items) ? items : List.of();
  }

  private String text(Json.Obj diagnosis) {
    var text = new StringBuilder();
    var findings = findings(diagnosis);
    findings.stream().limit(LINES_MAX).forEach(finding -> {
      if (finding instanceof Json.Obj found) {
        text.append("✗ ").append(string(found, "kind")).append("  ").append(string(found, "about")).append(age(found))
            .append("\n    ").append(string(found, "why")).append('\n');
      }
    });
    if (findings.size() > LINES_MAX) {
      text.append("… and ").append(findings.size() - LINES_MAX).append(" more; --json has all\n");
    }
    return text.append(findings.isEmpty() ? "Nothing is stuck. " : "deploy/runbook.md says what to do. ")
        .append(number(diagnosis, "unsettledPayments")).append(" payments under way, the oldest for ")
        .append(number(diagnosis, "oldestSeconds")).append(" s; ").append(number(diagnosis, "undeliveredEvents"))
        .append(" events to be delivered.").toString();
  }

  private String age(Json.Obj finding) {
    var since = string(finding, "since");
    if (since.isEmpty()) {
      return "";
    }
    long seconds = Math.max(0, Duration.between(Instant.parse(since), clock.instant()).toSeconds());
    return "  for " + (seconds < 120 ? seconds + " s" : seconds < 7200 ? seconds / 60 + " min" : seconds / 3600 + " h");
  }

  private static String string(Json.Obj object, String name) {
    @Nullable
    Json value = object.get(name);
    return value instanceof Json.Str(var text) ? text : "";
  }

  private static long number(Json.Obj object, String name) {
    return object.get(name) instanceof Json.Num(var number) ? number : 0;
  }
}
