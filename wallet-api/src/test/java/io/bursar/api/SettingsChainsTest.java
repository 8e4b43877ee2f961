package io.bursar.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.Confirmation;

/** How chains and their nodes are configured. */
class SettingsChainsTest {
  @TempDir
  private Path directory;

  private static Settings settings(String... namesAndValues) throws Settings.Wrong {
    Map<String, String> environment = new HashMap<>(Map.of("BURSAR_ADMIN_KEY", "x".repeat(24), "BURSAR_DB_URL",
        "jdbc:postgresql://127.0.0.1/bursar", "BURSAR_DB_USER", "bursar_api"));
    for (int i = 0; i < namesAndValues.length; i += 2) {
      environment.put(namesAndValues[i], namesAndValues[i + 1]);
    }
    return Settings.of(environment);
  }

  private String file(String json) throws IOException {
    return Files.writeString(directory.resolve("chains.json"), json).toString();
  }

  @Test
  void readsSeveralNodesOfAChainThePreferredOneFirst() throws Exception {
    var chain = settings("BURSAR_RPC_URL", "https://a.example/key, https://b.example", "BURSAR_CHAIN", "eip155:8453",
        "BURSAR_CONFIRMATIONS", "finalized").chains().getFirst();
    assertThat(chain.endpoints()).containsExactly(URI.create("https://a.example/key"),
        URI.create("https://b.example"));
    assertThat(chain.confirmation()).isEqualTo(new Confirmation.Finalized());
    assertThat(chain.toString()).doesNotContain("example");
  }

  @Test
  void refusesMoreNodesThanAreAskedAndNamesTheSetting() throws Exception {
    var sixteen = "http://127.0.0.1,".repeat(15) + "http://127.0.0.1";
    assertThat(settings("BURSAR_RPC_URL", sixteen, "BURSAR_CHAIN", "eip155:1").chains().getFirst().endpoints())
        .hasSize(16);
    assertThatThrownBy(() -> settings("BURSAR_RPC_URL", sixteen + ",http://127.0.0.1", "BURSAR_CHAIN", "eip155:1"))
        .isInstanceOf(Settings.Wrong.class)
        .hasMessage("`BURSAR_RPC_URL` must name 1 to 16 nodes of `eip155:1`, not 17");
  }

  @Test
  void readsFurtherChainsFromAFile() throws Exception {
    var chains = settings("BURSAR_RPC_URL", "http://127.0.0.1:8545", "BURSAR_CHAIN", "eip155:1", "BURSAR_CHAINS", file("""
        {"chains": [{"chain": "eip155:10", "endpoints": ["https://a.example"], "maxFeeGwei": 3},
          {"chain": "eip155:137", "endpoints": ["https://b.example"], "confirmations": "64"}]}""")).chains();
    assertThat(chains).extracting(ChainSettings::name).containsExactly("eip155:1", "eip155:10", "eip155:137");
    assertThat(chains).extracting(ChainSettings::confirmation)
        .isEqualTo(List.of(new Confirmation.Depth(12), new Confirmation.Depth(12), new Confirmation.Depth(64)));
    assertThat(chains.get(1).fees().maxFeeCap()).isEqualTo(BigInteger.valueOf(3_000_000_000L));
  }

  @Test
  void namesEveryFaultAndNoEndpoint() throws Exception {
    var path = file(
        """
        {"chains": [{"chain": "mainnet", "endpoints": ["ftp://secret.example"], "confirmations": "soon", "extra": 1}]}""");
    assertThatThrownBy(() -> settings("BURSAR_CHAINS", path))
        .hasMessageContaining("/chains/0/chain").hasMessageContaining("/chains/0/endpoints/0")
        .hasMessageContaining("/chains/0/confirmations").hasMessageContaining("/chains/0/extra")
        .hasMessageNotContaining("secret");
    assertThatThrownBy(() -> settings("BURSAR_RPC_URL", "http://a, secret", "BURSAR_CHAIN", "eip155:1"))
        .hasMessageContaining("`BURSAR_RPC_URL` must name nodes").hasMessageNotContaining("secret");
    assertThatThrownBy(() -> settings("BURSAR_RPC_URL", "http://a", "BURSAR_CHAIN", "eip155:1", "BURSAR_CONFIRMATIONS",
        "0")).hasMessageContaining("`BURSAR_CONFIRMATIONS` confirmations must be 1 or more");
    var twice = file("{\"chains\": [{\"chain\": \"eip155:1\", \"endpoints\": [\"http://b\"]}]}");
    assertThatThrownBy(() -> settings("BURSAR_RPC_URL", "http://a", "BURSAR_CHAIN", "eip155:1", "BURSAR_CHAINS", twice))
        .hasMessageContaining("configured twice");
  }
}
