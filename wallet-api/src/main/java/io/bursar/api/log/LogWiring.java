package io.bursar.api.log;

import java.io.IOException;
import java.time.Clock;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.bursar.api.Settings;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerHeads;
import io.bursar.api.witness.WitnessClient;
import io.bursar.api.witness.WitnessPolicy;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;
import io.bursar.store.log.Cosigners;
import io.bursar.store.log.Log;
import io.bursar.store.log.S3Tiles;
import io.bursar.store.log.TileFiles;
import io.bursar.store.log.TileStore;
import io.micrometer.core.instrument.MeterRegistry;

/** The logs and what keeps them up to date. */
@Configuration(proxyBeanMethods = false)
public class LogWiring {
  @Bean
  TileStore tileStore(Settings settings, Clock clock) {
    return settings.tiles().isPresent()
        ? new S3Tiles(settings.tiles().get(), clock)
        : new TileFiles(settings.home().resolve("log"));
  }

  @Bean
  Log log(Settings settings, Database database, AuditEntries audit, TileStore tiles, SignerClient signer,
      MeterRegistry registry)
      throws IOException {
    var cosigners = settings.witnesses().isPresent()
        ? new WitnessClient(WitnessPolicy.read(settings.witnesses().get()))
        : Cosigners.NONE;
    return new Log(database, audit, tiles, new SignerHeads(signer), cosigners,
        (tenantId, why) -> LogKeeper.alarm(registry, tenantId, why));
  }

  @Bean
  LogKeeper logKeeper(Log log) {
    return new LogKeeper(log);
  }
}
