package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What HTTP itself asks of every answer. */
final class ProtocolTest {
  private final Service service = Service.shared();

  @ParameterizedTest
  @ValueSource(strings = {"PUT", "PROPFIND", "NONSENSE"})
  void aMethodThatAPathDoesNotHaveIsRefusedWithThoseThatItHas(String method) {
    var reply = service.call(method, "/v1/agents", "admin", null);
    assertThat(reply.status()).isEqualTo(405);
    assertThat(reply.text("/code")).isEqualTo("METHOD_NOT_ALLOWED");
    assertThat(String.join(", ", reply.headers().allValues("Allow"))).contains("GET", "POST").doesNotContain("PUT");
  }

  @Test
  void headIsAnsweredWhereGetNeedsNoKeyAndNowhereElse() {
    for (var path : new String[]{"/actuator/health", "/actuator/health/readiness", "/openapi.yaml"}) {
      assertThat(service.call("HEAD", path, "", null).status()).as(path).isEqualTo(200);
    }
    assertThat(service.call("HEAD", "/v1/spends", "", null).status()).isEqualTo(401);
    assertThat(service.call("HEAD", "/v1/relayers", "agent", null).status()).as("a GET would be refused")
        .isEqualTo(403);
  }

  @Test
  void theSchemeOfAKeyIsToldWithoutRegardToCase() throws IOException {
    assertThat(raw("GET /v1/agents HTTP/1.1\r\nHost: x\r\nAuthorization: bEARER " + service.keys.get("admin")
        + "\r\nConnection: close\r\n\r\n")).startsWith("HTTP/1.1 200");
  }

  @Test
  void aBodyThatIsCompressedIsRefusedAsSuch() {
    var reply = service.call("POST", "/v1/agents", "admin", "{}", "Content-Encoding", "gzip");
    assertThat(reply.status()).isEqualTo(415);
    assertThat(reply.text("/detail")).contains("Content-Encoding");
  }

  @ParameterizedTest
  @ValueSource(strings = {"GET /v1/agents/a%2fb HTTP/1.1\r\nHost: x\r\n", "GET /v1/agents/%zz HTTP/1.1\r\nHost: x\r\n",
      "GET /v1/agents?x=< HTTP/1.1\r\nHost: x\r\n", "GET /v1/agents HTTP/1.1\r\n",
      "GET /v1/agents HTTP/1.1\r\nHost: x\r\nX-Name: \u007f\r\n",
      "POST /v1/agents HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n",
      "GET /v1/agents HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\n", "GET /v1/agents HTTP/9.9\r\nHost: x\r\n"})
  void whatTheContainerRefusesIsAProblemToo(String request) throws IOException {
    var reply = raw(request + "Connection: close\r\n\r\n");
    assertThat(reply).matches("(?s)HTTP/1\\.1 4[0-9][0-9].*").contains("application/problem+json", "\"code\":\"")
        .doesNotContainIgnoringCase("html").doesNotContainIgnoringCase("tomcat");
  }

  private String raw(String request) throws IOException {
    var uri = service.api.uri();
    try (var socket = new Socket(uri.getHost(), uri.getPort())) {
      socket.setSoTimeout(10_000);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
