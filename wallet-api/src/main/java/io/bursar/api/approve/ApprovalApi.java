package io.bursar.api.approve;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.bursar.api.approve.ApproveTool.Refused;
import io.bursar.approval.ApprovalText;
import io.bursar.approval.ChangeText;
import io.bursar.approval.OrderText;
import io.bursar.approval.Signable;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;

/** The two calls that an approver makes. What they answer is believed only as far as it can be checked. */
final class ApprovalApi {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
  private final URI api;
  private final String key;

  ApprovalApi(URI api, String key) {
    this.api = api;
    this.key = key;
  }

  /** A text to sign, with what the service says about it. */
  record Offered(String text, Json.Obj answer) {
    /** Whether what is shown beside the text is what the text commits to. */
    boolean describes(Signable signed) {
      return switch (signed) {
        case ApprovalText spend -> describes(spend.purpose());
        case ChangeText change -> answer.get("content") instanceof Json.Str(var content)
            && Digest32.sha256(content.getBytes(StandardCharsets.UTF_8)).equals(change.content());
        case OrderText _ -> false; // the service offers none
      };
    }

    private boolean describes(@Nullable Digest32 purpose) {
      var salt = string(answer, "salt");
      if (salt == null || purpose == null) {
        return salt == null && purpose == null;
      }
      try {
        var said = Json.object().put("purpose", answer.get("purpose")).put("reference", answer.get("reference"))
            .put("metadata", answer.get("metadata")).build();
        return Digest32.sha256(HexFormat.of().parseHex(salt), JsonText.canonical(said)).equals(purpose);
      } catch (IllegalArgumentException notHex) {
        return false;
      }
    }

    /** For a person: what the agent said, or what a change would change. */
    List<String> lines() {
      var lines = new ArrayList<String>();
      for (var name : List.of("purpose", "reference", "metadata")) {
        var value = answer.get(name);
        if (value != null) {
          lines.add("The agent's " + name + ": " + shown(value));
        }
      }
      if (answer.get("content") instanceof Json.Str(var content)) {
        lines.add("The content, whose SHA-256 is in the text: " + content);
      }
      if (answer.get("diff") instanceof Json.Arr(var differences)) {
        lines.add("As the service explains it, of policies by their documents:");
        differences.forEach(line -> lines.add("  " + shown(line)));
      }
      return lines;
    }

    private static String shown(Json value) {
      return value instanceof Json.Str(var text)
          ? text
          : new String(JsonText.inOrder(value), StandardCharsets.UTF_8);
    }
  }

  private static String path(ApproveOptions.Subject subject) {
    return subject.kind() == Id.CHANGE ? "/v1/change-requests/" + subject : "/v1/spends/" + subject;
  }

  Offered text(ApproveOptions.Subject subject, Verdict verdict) throws Refused, IOException, InterruptedException {
    var answer = send(
        request(subject.kind() == Id.CHANGE ? path(subject) : path(subject) + "/approval-text").GET(), 200);
    var text = answer.get(verdict.text()) instanceof Json.Obj signable ? string(signable, "text") : null;
    if (text == null) {
      throw new Refused("the service answered without a text to sign: " + subject + " does not wait any more");
    }
    return new Offered(text, answer);
  }

  /** Sends a verdict and answers what became of it, for a person. */
  String send(ApproveOptions.Subject subject, Signable text, String signature, @Nullable String comment)
      throws Refused, IOException, InterruptedException {
    var body = Json.object().put("verdict", text.verdict().text()).put("signature", signature)
        .put("text", text instanceof ApprovalText ? text.toString() : null).put("comment", comment).build();
    var answer = send(
        request(path(subject) + "/approvals").POST(BodyPublishers.ofByteArray(JsonText.inOrder(body))), 201);
    return "Taken: " + subject + " is now `" + string(answer, "status") + "`.";
  }

  private HttpRequest.Builder request(String path) {
    var base = api.toString().replaceFirst("/+$", "");
    return HttpRequest.newBuilder(URI.create(base + path)).timeout(TIMEOUT).header("Authorization", "Bearer " + key)
        .header("Content-Type", "application/json");
  }

  private Json.Obj send(HttpRequest.Builder request, int wanted) throws Refused, IOException, InterruptedException {
    var response = http.send(request.build(), BodyHandlers.ofByteArray());
    Json.Obj answer;
    try {
      answer = JsonText.parse(response.body()) instanceof Json.Obj object ? object : Json.object().build();
    } catch (JsonText.Malformed e) {
      throw new Refused("`" + api + "` answered " + response.statusCode() + " with something else than JSON");
    }
    if (response.statusCode() != wanted) {
      var code = string(answer, "code");
      throw new Refused("the service refused it: " + response.statusCode() + (code == null ? "" : " " + code) + ": "
          + string(answer, "detail"));
    }
    return answer;
  }

  private static @Nullable String string(Json.Obj object, String name) {
    return object.get(name) instanceof Json.Str(var text) ? text : null;
  }
}
