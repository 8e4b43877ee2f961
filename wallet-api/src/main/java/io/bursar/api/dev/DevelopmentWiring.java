package io.bursar.api.dev;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Condition;
import org.springframework.context.annotation.ConditionContext;
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.type.AnnotatedTypeMetadata;

import io.bursar.api.Settings;
import io.bursar.api.chain.Chains;
import io.bursar.store.Directory;
import io.bursar.store.SettlementModes;

/** What exists only with the embedded development chain: without it there is no faucet, not even one that refuses. */
@Configuration(proxyBeanMethods = false)
@Conditional(DevelopmentWiring.EmbeddedChain.class)
public class DevelopmentWiring {
  static final class EmbeddedChain implements Condition {
    @Override
    public boolean matches(ConditionContext context, AnnotatedTypeMetadata metadata) {
      return "true".equals(context.getEnvironment().getProperty("BURSAR_DEV"));
    }
  }

  @Bean
  Development development(Settings settings, Chains chains, Directory directory, SettlementModes modes) {
    var chain = settings.chains().stream().findFirst().flatMap(named -> chains.find(named.name()))
        .orElseThrow(() -> new IllegalStateException("`BURSAR_DEV=true` needs `BURSAR_RPC_URL`"));
    return new Development(chain, settings.stablecoinArtifacts().orElseThrow(
        () -> new IllegalStateException("`BURSAR_DEV=true` needs `BURSAR_STABLECOIN_ARTIFACTS`")), directory, modes,
        settings.relay().relayers() > 0);
  }
}
