package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.UUID;

import org.awaitility.Awaitility;

import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.money.Address;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.spend.Id;

/** A wallet gets a new key: its money moves as far as policies let it, and then it is put away. Part of {@link FullTour}. */
final class RotationTour {
  private final Service service;

  RotationTour(Service service) {
    this.service = service;
  }

  void play() {
    try {
      adopt();
    } catch (SignerUnreachable gone) {
      throw new AssertionError(gone);
    }
    var agent = expect(201, service.call("POST", "/v1/agents", "admin", "{\"name\": \"mover\"}")).text("/id");
    var id = expect(201, service.call("POST", "/v1/wallets", "admin", """
        {"agentId": "%s", "chain": "eip155:31337", "name": "to be replaced"}""".formatted(agent))).text("/id");
    fund(id, "5");
    attach(id,
        ", {\"id\": \"tiny\", \"kind\": \"limit\", \"match\": {\"assets\": [\"USDC\"]}, \"max\": \"1\", \"window\": \"spend\"}");
    var rotation = "/v1/wallets/" + id + "/rotation";
    assertThat(expect(409, service.get(rotation, "auditor")).text("/code")).isEqualTo("WALLET_NOT_ROTATED");
    expect(409, service.call("POST", rotation + "/sweep", "admin", null));
    expect(409, service.call("POST", rotation + "/archive", "admin", null));

    var successor = expect(201, service.call("POST", rotation, "admin", null)).text("/successorId");
    assertThat(expect(200, service.call("POST", rotation, "admin", null)).text("/successorId")).isEqualTo(successor);
    assertThat(expect(200, service.get("/v1/policy-attachments/wallet/" + successor, "auditor")).text("/version"))
        .as("the successor has its predecessor's policy")
        .isEqualTo(service.get("/v1/policy-attachments/wallet/" + id, "auditor").text("/version"));

    var denied = sweep(rotation);
    assertThat(denied.text("/data/0/decision/reasons/0/code")).isEqualTo("LIMIT_EXCEEDED");
    refusesToArchive(rotation);
    waitsForApproval(id, rotation);

    attach(id, "");
    move(rotation, "5");
    assertThat(usdc(successor)).isEqualTo("5");
    archive(rotation);
    assertThat(sweep(rotation).json().path("data")).as("there is nothing to open it again for").isEmpty();
    assertThat(expect(200, service.get(rotation, "auditor")).text("/status")).isEqualTo("archived");
    assertThat(expect(409, service.call("POST", "/v1/wallets/" + id + "/unfreeze", "admin", null)).text("/code"))
        .isEqualTo("WALLET_ARCHIVED");
    followsLater(id, rotation);
    assertThat(usdc(successor)).isEqualTo("7");
  }

  /** A sweep that approvers must see is held until they have, and so is the wallet. */
  private void waitsForApproval(String id, String rotation) {
    attach(id, ", {\"id\": \"seen\", \"kind\": \"approval\", \"groups\": [{\"group\": \"legal\", \"threshold\": 1}]}");
    var asked = sweep(rotation);
    assertThat(asked.text("/data/0/status")).isEqualTo("awaiting_approval");
    assertThat(sweep(rotation).json().path("data")).as("it is asked for once").isEmpty();
    refusesToArchive(rotation);
    expect(200, service.call("POST", "/v1/spends/" + asked.text("/data/0/id") + "/cancel", "admin", null));
  }

  /** What arrives at an archived wallet follows, also where the wallet pays its own way. */
  private void followsLater(String id, String rotation) {
    expect(200, service.call("PUT", "/v1/wallets/" + id + "/settlement", "admin", "{\"mode\": \"direct\"}"));
    fund(id, "2");
    move(rotation, "2");
    assertThat(expect(200, service.get(rotation, "auditor")).text("/status")).isEqualTo("moving");
    archive(rotation);
  }

  private void fund(String wallet, String amount) {
    expect(200, service.call("POST", "/v1/dev/faucet", "admin",
        "{\"walletId\": \"" + wallet + "\", \"asset\": \"USDC\", \"amount\": \"" + amount + "\"}"));
  }

  private Service.Reply sweep(String rotation) {
    return expect(200, service.call("POST", rotation + "/sweep", "admin", null));
  }

  /** One sweep takes all, a second nothing, and the money arrives. */
  private void move(String rotation, String amount) {
    var swept = sweep(rotation);
    assertThat(swept.text("/data/0/amount")).isEqualTo(amount);
    assertThat(sweep(rotation).json().path("data")).as("nothing is left that is not spoken for").isEmpty();
    Awaitility.await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(200)).until(
        () -> service.get("/v1/spends/" + swept.text("/data/0/id"), "admin").text("/status").equals("confirmed"));
  }

  private void refusesToArchive(String rotation) {
    assertThat(expect(409, service.call("POST", rotation + "/archive", "admin", null)).text("/code"))
        .isEqualTo("WALLET_NOT_EMPTY");
  }

  private void archive(String rotation) {
    var archived = expect(200, service.call("POST", rotation + "/archive", "admin", null));
    assertThat(archived.text("/status")).isEqualTo("archived");
    assertThat(expect(200, service.call("POST", rotation + "/archive", "admin", null)).text("/archivedAt"))
        .isEqualTo(archived.text("/archivedAt"));
  }

  /** Of several assets, in whatever order they are listed. */
  private String usdc(String wallet) {
    for (var balance : expect(200, service.get("/v1/wallets/" + wallet + "/balances", "admin")).json().path("data")) {
      if (balance.path("asset").asString().equals("USDC")) {
        return balance.path("amount").asString();
      }
    }
    throw new AssertionError("no balance of USDC");
  }

  /** A key that the signer has and no wallet yet, as after an import, gets its wallet. */
  private void adopt() throws SignerUnreachable {
    var keyId = UUID.randomUUID();
    Address address;
    try (var signer = new SignerClient(service.signer.socket(), 1, Duration.ofSeconds(10))) {
      address = ((SignerReply.KeyCreated) signer
          .ask(new SignerRequest.CreateKey(Id.TENANT.parse(service.tenant).orElseThrow(), keyId))).address();
    }
    var body = "{\"agentId\": \"" + service.agent
        + "\", \"chain\": \"eip155:31337\", \"name\": \"brought along\", \"keyId\": \"%s\", \"address\": \"%s\"}";
    assertThat(expect(409, service.call("POST", "/v1/wallets", "admin", body.formatted(keyId, service.chain.usdc())))
        .text("/code")).isEqualTo("KEY_NOT_IMPORTED");
    var made = expect(201, service.call("POST", "/v1/wallets", "admin", body.formatted(keyId, address)));
    assertThat(made.text("/id")).isEqualTo(Id.WALLET.text(keyId));
    assertThat(made.text("/address")).isEqualTo(address.toString());
    expect(409, service.call("POST", "/v1/wallets", "admin", body.formatted(keyId, address)));
  }

  private void attach(String wallet, String more) {
    var made = expect(201, service.call("POST", "/v1/policies", "admin", """
        {"document": {"name": "moving", "rules": [{"id": "all", "kind": "permit"}%s]}}""".formatted(more)));
    expect(200, service.call("POST", "/v1/policies/" + made.text("/id") + "/publish", "admin",
        "{\"version\": \"" + made.text("/version") + "\"}"));
    expect(200, service.call("PUT", "/v1/policy-attachments/wallet/" + wallet, "admin",
        "{\"policyId\": \"" + made.text("/id") + "\", \"version\": \"" + made.text("/version") + "\"}"));
  }

  private static Service.Reply expect(int status, Service.Reply reply) {
    assertThat(reply.status()).as("%s", reply.text()).isEqualTo(status);
    return reply;
  }
}
