package io.bursar.api.log;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.bursar.api.Settings;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerHeads;
import io.bursar.store.AuditEntries;
import io.bursar.store.Database;
import io.bursar.store.log.Log;
import io.bursar.store.log.TileFiles;
import io.micrometer.core.instrument.MeterRegistry;

/** The logs and what keeps them up to date. */
@Configuration(proxyBeanMethods = false)
public class LogWiring {
  @Bean
  Log log(Settings settings, Database database, AuditEntries audit, SignerClient signer, MeterRegistry registry) {
    return new Log(database, audit, new TileFiles(settings.home().resolve("log")), new SignerHeads(signer),
        (tenantId, why) -> LogKeeper.alarm(registry, tenantId, why));
  }

  @Bean
  LogKeeper logKeeper(Log log) {
    return new LogKeeper(log);
  }
}
