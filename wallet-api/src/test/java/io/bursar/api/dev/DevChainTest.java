package io.bursar.api.dev;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;

import org.junit.jupiter.api.Test;

import io.bursar.api.chain.Chain.Token;
import io.bursar.api.testing.AnvilProcess;
import io.bursar.money.Address;
import io.bursar.store.Fixture;

class DevChainTest {
  @Test
  void foretellsWhereAContractGoes() {
    var deployer = Address.parse("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0");
    assertThat(DevChain.contractOf(deployer, 0)).hasToString("0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d");
    assertThat(DevChain.contractOf(deployer, 1)).hasToString("0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8");
  }

  @Test
  void deploysOnceAndAgainAfterTheChainWasReset() throws Exception {
    try (var anvil = AnvilProcess.startMiningAtOnce()) {
      var deployed = anvil.usdc();
      long blocks = anvil.chain().head();
      assertThat(anvil.chain().token(deployed)).isEqualTo(Optional.of(new Token("USDC", 6)));
      assertThat(DevChain.of(anvil.chain()).ensureUsdc(AnvilProcess.usdcArtifacts())).isEqualTo(deployed);
      assertThat(anvil.chain().head()).isEqualTo(blocks);
      anvil.rpc("anvil_reset");
      assertThat(anvil.chain().token(deployed)).isEmpty();
      assertThat(DevChain.of(anvil.chain()).ensureUsdc(AnvilProcess.usdcArtifacts())).isEqualTo(deployed);
      anvil.fund(Fixture.PAYEE, Fixture.units("3"));
      assertThat(anvil.balanceOf(Fixture.PAYEE)).isEqualTo(Fixture.units("3"));
    }
  }

  @Test
  void goesOnWithADeploymentThatWasInterrupted() throws Exception {
    try (var anvil = AnvilProcess.startMiningAtOnce()) {
      anvil.rpc("anvil_rollback", 5);
      assertThat(anvil.chain().token(anvil.usdc())).isNotEqualTo(Optional.of(new Token("USDC", 6)));
      assertThat(DevChain.of(anvil.chain()).ensureUsdc(AnvilProcess.usdcArtifacts())).isEqualTo(anvil.usdc());
    }
  }
}
