package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;

import io.bursar.api.demo.Client;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.api.testing.ApiProcess;
import io.bursar.json.Json;

/** What is made before the curtain rises: one agent with one funded wallet, and a limit. */
record Stage(String tenantId, String agentId, String agentKey, String walletId, String address) {
  /** The most that the wallet may spend in a day, and what it has. */
  static final String DAILY_MAX = "1000";

  static Stage set(Client client) throws IOException, InterruptedException {
    var admin = ApiProcess.ADMIN_KEY;
    var tenant = client.get("/v1/tenants", admin).text("data.0.id");
    var agent = client.post("/v1/agents", admin, Json.object().put("name", "a").build()).text("id");
    var key = client.post("/v1/api-keys", admin,
        Json.object().put("role", "agent").put("name", "a").put("agentId", agent).build());
    var wallet = client.post("/v1/wallets", admin,
        Json.object().put("agentId", agent).put("chain", AnvilProcess.CHAIN).put("name", "w").build());
    var rules = List.<Json>of(Json.object().put("id", "any").put("kind", "permit").build(),
        Json.object().put("id", "daily").put("kind", "limit")
            .put("match", Json.object().put("assets", Json.strings(List.of("USDC"))).build())
            .put("max", DAILY_MAX).put("window", Json.object().put("rolling", "PT24H").build()).build());
    var policy = client.post("/v1/policies", admin, Json.object()
        .put("document", Json.object().put("name", "p").put("rules", new Json.Arr(rules)).build()).build());
    var version = Json.object().put("version", policy.text("version"));
    client.post("/v1/policies/" + policy.text("id") + "/publish", admin, version.build());
    var attached = client.put("/v1/policy-attachments/wallet/" + wallet.text("id"), admin,
        version.put("policyId", policy.text("id")).build());
    assertThat(attached.status()).as(attached.body().toString()).isEqualTo(200);
    var funded = client.post("/v1/dev/faucet", admin,
        Json.object().put("walletId", wallet.text("id")).put("asset", "USDC").put("amount", DAILY_MAX).build());
    assertThat(funded.status()).as(funded.body().toString()).isEqualTo(200);
    return new Stage(tenant, agent, key.text("secret"), wallet.text("id"), wallet.text("address"));
  }
}
