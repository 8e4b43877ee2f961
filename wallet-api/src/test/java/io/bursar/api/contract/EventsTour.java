package io.bursar.api.contract;

import static io.bursar.api.contract.FullTour.expect;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;

import org.awaitility.Awaitility;

/** The part of the {@link FullTour} that is about being told: what is stuck, what happens, and who is sent it. */
final class EventsTour {
  private final Service service;

  EventsTour(Service service) {
    this.service = service;
  }

  private void diagnosis() {
    expect(200, service.call("POST", "/v1/tenants/" + service.tenant + "/lane/stop", "operator",
        "{\"reason\": \"to be found\"}"));
    assertThat(expect(200, service.get("/v1/diagnosis", "operator")).text()).contains("lane.stopped", "to be found");
    expect(200, service.call("POST", "/v1/tenants/" + service.tenant + "/lane/resume", "operator",
        "{\"reason\": \"it was\"}"));
  }

  void play() {
    diagnosis();
    var page = expect(200, service.get("/v1/events?limit=1", "agent"));
    expect(200, service.get("/v1/events?types=spend.*&cursor=" + page.text("/nextCursor"), "auditor"));
    var made = expect(201, service.call("POST", "/v1/webhooks", "admin",
        """
        {"url": "https://localhost/bursar", "events": ["*"], "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"""));
    var webhook = "/v1/webhooks/" + made.text("/id");
    var first = expect(200, service.get("/v1/events?limit=1", "admin")).text("/data/0/id");
    expect(200, service.call("POST", webhook + "/replay", "admin", "{\"from\": \"" + first + "\"}"));
    expect(200, service.call("POST", webhook + "/replay", "admin",
        "{\"from\": \"" + first + "\", \"to\": \"" + first + "\"}"));
    Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> !expect(200, service.get(webhook, "admin")).json()
        .path("failingSince").isNull());
    assertThat(expect(200, service.get(webhook + "/deliveries?state=pending&limit=500", "admin")).text())
        .contains("not of the public Internet");
    expect(200, service.call("POST", webhook + "/enable", "admin", null));
    assertThat(expect(200, service.get(webhook, "admin")).json().path("pending").asInt()).isPositive();
    expect(200, service.get("/v1/webhooks", "admin"));
    expect(204, service.call("DELETE", webhook, "admin", null));
  }
}
