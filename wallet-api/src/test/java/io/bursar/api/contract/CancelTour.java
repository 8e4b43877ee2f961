package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;

import org.awaitility.Awaitility;

/** A payment is asked to be canceled that the chain has not mined. Part of {@link FullTour}. */
final class CancelTour {
  private final Service service;

  CancelTour(Service service) {
    this.service = service;
  }

  /** With a spend that is paid by a transaction of its wallet; nothing else is on its way. */
  void play(String body) {
    service.chain.rpc("evm_setAutomine", false);
    var path = "";
    try {
      path = "/v1/spends/"
          + expect(201, service.call("POST", "/v1/spends", "agent", body, "Idempotency-Key", "tour-cancel"))
              .text("/id");
      var sent = awaitBroadcast(path, "");
      var asked = expect(202, service.call("POST", path + "/cancel", "agent", null));
      assertThat(expect(202, service.call("POST", path + "/cancel", "approver", null)).text("/cancelRequestedAt"))
          .isEqualTo(asked.text("/cancelRequestedAt")).isNotEmpty();
      assertThat(awaitBroadcast(path, sent)).isNotEqualTo(sent);
    } finally {
      service.chain.rpc("evm_setAutomine", true);
    }
    service.chain.rpc("evm_mine");
    awaitStatus(path, "canceled");
    expect(409, service.call("POST", path + "/cancel", "agent", null));
  }

  private void awaitStatus(String path, String status) {
    Awaitility.await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(100))
        .until(() -> service.get(path, "agent").text("/status").equals(status));
  }

  /** The hash of the transaction that was sent for a spend, once it is another one. */
  private String awaitBroadcast(String path, String before) {
    Awaitility.await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(100)).until(() -> {
      var spend = service.get(path, "agent");
      return spend.text("/status").equals("broadcast") && !spend.text("/transaction/hash").equals(before);
    });
    return service.get(path, "agent").text("/transaction/hash");
  }

  private static Service.Reply expect(int status, Service.Reply reply) {
    assertThat(reply.status()).as("%s", reply.text()).isEqualTo(status);
    return reply;
  }
}
