package io.bursar.api.contract;

import static io.bursar.api.contract.FullTour.expect;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;

import org.awaitility.Awaitility;

/** The part of the {@link FullTour} that is about what has come to a wallet. */
final class FundingTour {
  private final Service service;

  FundingTour(Service service) {
    this.service = service;
  }

  /** After the faucet has paid the wallet. */
  void play() {
    var deposits = "/v1/wallets/" + service.wallet + "/deposits";
    Awaitility.await().atMost(Duration.ofSeconds(30))
        .until(() -> expect(200, service.get(deposits + "?limit=1", "agent")).json().path("data").size() == 1);
    assertThat(expect(200, service.get(deposits, "auditor")).text()).contains("\"amount\":\"1000\"");
    assertThat(expect(200, service.get("/v1/wallets/" + service.wallet + "/balances", "agent")).text("/data/0/pending"))
        .isEqualTo("0");
    assertThat(expect(200, service.get("/v1/events?types=deposit.received&limit=1", "agent")).text("/data/0/type"))
        .isEqualTo("deposit.received");
  }
}
