package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;

import org.awaitility.Awaitility;

/** A wallet is topped up from a treasury, as far as that has money, and swept no more once its rules are gone. Part of {@link FullTour}. */
final class FundingRulesTour {
  private final Service service;

  FundingRulesTour(Service service) {
    this.service = service;
  }

  void play() {
    var treasury = wallet("treasury");
    var fed = wallet("fed");
    expect(200, service.call("POST", "/v1/dev/faucet", "admin",
        "{\"walletId\": \"" + treasury + "\", \"asset\": \"USDC\", \"amount\": \"5\"}"));
    var path = "/v1/wallets/" + fed + "/funding-rules";
    assertThat(expect(200, service.get(path, "agent")).json().path("data")).isEmpty();
    refuses(path, treasury, fed);
    expect(200, service.call("PUT", path, "admin", rules(rule("topUp", "3", "4", treasury),
        rule("sweep", "10", "4", treasury))));
    awaitMember(path, "lastSpendId");
    expect(200, service.call("PUT", path, "admin", rules(rule("topUp", "90", "90", treasury))));
    awaitMember(path, "failure");
    expect(204, service.call("DELETE", path, "admin", null));
    assertThat(expect(200, service.get(path, "auditor")).json().path("data")).isEmpty();
  }

  private void refuses(String path, String treasury, String fed) {
    for (var bad : new String[]{rules(rule("topUp", "3", "2", treasury)), rules(rule("sweep", "3", "4", treasury)),
        rules(rule("topUp", "0", "0", treasury)), rules(rule("fill", "3", "4", treasury)),
        rules(rule("topUp", "3", "4", fed)), rules(rule("topUp", "3", "4", service.stranger.wallet())),
        rules(rule("topUp", "3", "4", treasury), rule("topUp", "1", "2", treasury)),
        rules(rule("topUp", "3", "9", treasury), rule("sweep", "5", "4", treasury)),
        rules(rule("topUp", "3", "4", treasury), rule("sweep", "5", "1", treasury)), "{\"rules\": []}"}) {
      assertThat(expect(400, service.call("PUT", path, "admin", bad)).text("/errors/0/pointer")).startsWith("/rules");
    }
  }

  /** Of the rule that is about what is missing: the other one has nothing to do. */
  private void awaitMember(String path, String member) {
    Awaitility.await().atMost(Duration.ofSeconds(40)).pollInterval(Duration.ofMillis(200)).until(() -> {
      for (var rule : expect(200, service.get(path, "admin")).json().path("data")) {
        if (rule.path("kind").asString().equals("topUp") && rule.has(member)) {
          return true;
        }
      }
      return false;
    });
  }

  private String wallet(String name) {
    return expect(201, service.call("POST", "/v1/wallets", "admin", "{\"agentId\": \"" + service.agent
        + "\", \"chain\": \"eip155:31337\", \"name\": \"" + name + "\"}")).text("/id");
  }

  private static String rules(String... rules) {
    return "{\"rules\": [" + String.join(", ", rules) + "]}";
  }

  private static String rule(String kind, String threshold, String target, String treasury) {
    return """
        {"kind": "%s", "asset": "USDC", "threshold": "%s", "target": "%s", "treasuryId": "%s"}"""
        .formatted(kind, threshold, target, treasury);
  }

  private static Service.Reply expect(int status, Service.Reply reply) {
    assertThat(reply.status()).as("%s", reply.text()).isEqualTo(status);
    return reply;
  }
}
