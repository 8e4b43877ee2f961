package io.bursar.api;

import java.util.Map;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.security.autoconfigure.UserDetailsServiceAutoConfiguration;
import org.springframework.boot.webmvc.autoconfigure.WebMvcObservationAutoConfiguration;
import org.springframework.context.support.GenericApplicationContext;

/** Starts the service. It is told everything by environment variables; see {@link Settings}. */
@SpringBootApplication(exclude = {UserDetailsServiceAutoConfiguration.class, WebMvcObservationAutoConfiguration.class})
public class WalletApi {
  public static void main(String[] args) {
    if (args.length > 0) {
      System.err.println("wallet-api takes no arguments; deploy/README.md has the table of its environment variables");
      System.exit(args[0].equals("--help") ? 0 : 2);
    }
    try {
      var settings = Settings.of(System.getenv());
      var application = new SpringApplication(WalletApi.class);
      application.setDefaultProperties(Map.of("server.port", settings.port(), "server.address", settings.address()));
      application.addInitializers(
          context -> ((GenericApplicationContext) context).registerBean(Settings.class, () -> settings));
      application.run();
    } catch (Settings.Wrong wrong) {
      System.err.println("wallet-api cannot start: " + wrong.getMessage());
      System.exit(2);
    }
  }
}
