package io.bursar.api;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.bursar.api.approvals.Passkeys;
import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.Confirmation;
import io.bursar.api.chain.FeePolicy;
import io.bursar.api.funding.FundsCheck;
import io.bursar.money.Asset;
import io.bursar.store.Database;
import io.bursar.store.log.S3Tiles;

/**
 * All that the process is told from outside, by environment variables; deploy/README.md has the table.
 *
 * @param home the data directory
 * @param address the local address to listen on; loopback unless said otherwise, since TLS ends in front of the service
 * @param adminKey the operator's key
 * @param chains those that spends are settled on; none: then spends are decided but not settled
 * @param embeddedChain whether the first chain is the development chain, which has a faucet
 * @param settle whether this process settles payments; another may
 * @param approverKeysRequired whether nobody may approve without a key to sign with; always in production
 * @param passkeys whose passkeys are believed; none if none are
 * @param requestsPerSecond the most requests of one API key in a second
 * @param webhooksToPrivate whether webhooks may be sent to private networks, and without TLS; never in production
 * @param relay how spends are settled by authorizations
 * @param fundsWait how long a spend that its wallet cannot pay waits for a deposit before it fails
 * @param witnesses the file that says which witnesses are shown the logs' heads, and how many must sign them
 * @param tiles the S3-compatible store that the logs' tiles are in; absent if they are files in the data directory
 */
public record Settings(Path home, String address, int port, boolean production, Database.Settings database,
    Database.Secret adminKey, Path signerSocket,
    Path permitKey, List<ChainSettings> chains, boolean embeddedChain, Optional<Path> stablecoinArtifacts,
    boolean settle, boolean approverKeysRequired, Optional<Passkeys.Settings> passkeys,
    int requestsPerSecond, boolean webhooksToPrivate, Optional<Path> witnesses, Optional<S3Tiles.Settings> tiles,
    Relay relay, Duration fundsWait) {

  /**
   * How spends are settled by authorizations.
   *
   * @param relayers how many accounts take turns; 0: spends are settled directly
   * @param batch the most authorizations of one transaction
   * @param delayMillis how long one waits for others to share its transaction with
   * @param validMinutes how long an authorization is good
   */
  public record Relay(int relayers, int batch, int delayMillis, int validMinutes) {}

  private static final int ADMIN_KEY_LENGTH_MIN = 24;

  /** The settings were wrong; every fault is named. */
  public static final class Wrong extends Exception {
    Wrong(List<String> faults) {
      super(String.join("; ", faults));
    }
  }

  /**
   * Reads the environment.
   *
   * @throws Wrong if anything is missing or cannot be
   */
  public static Settings of(Map<String, String> environment) throws Wrong {
    var read = new Reader(environment);
    boolean production = read.choice("BURSAR_MODE", "development", List.of("development", "production"))
        .equals("production");
    boolean embeddedChain = read.choice("BURSAR_DEV", "false", List.of("true", "false")).equals("true");
    if (production && embeddedChain) {
      read.faults.add(
          "`BURSAR_DEV` is refused with `BURSAR_MODE=production`: name a real chain by `BURSAR_RPC_URL` and `BURSAR_CHAIN`");
    }
    var home = Path.of(read.text("BURSAR_HOME", ".bursar")).toAbsolutePath().normalize();
    var adminKey = read.required("BURSAR_ADMIN_KEY");
    if (!adminKey.isEmpty() && adminKey.length() < ADMIN_KEY_LENGTH_MIN) {
      read.faults.add("`BURSAR_ADMIN_KEY` must have at least " + ADMIN_KEY_LENGTH_MIN + " characters");
    }
    var database = new Database.Settings(read.required("BURSAR_DB_URL"), read.required("BURSAR_DB_USER"),
        new Database.Secret(read.text("BURSAR_DB_PASSWORD", "")), read.number("BURSAR_DB_POOL", 16, 2, 200));
    var settings = new Settings(home, read.text("BURSAR_ADDRESS", "127.0.0.1"),
        read.number("BURSAR_PORT", 8080, 0, 65_535), production, database, new Database.Secret(adminKey),
        Path.of(read.text("BURSAR_SIGNER_SOCKET", home.resolve("run/signer.sock").toString())),
        Path.of(read.text("BURSAR_PERMIT_KEY", home.resolve("permit.key").toString())), chains(read, embeddedChain),
        embeddedChain,
        Optional.ofNullable(environment.get("BURSAR_STABLECOIN_ARTIFACTS")).filter(text -> !text.isEmpty())
            .map(Path::of),
        read.choice("BURSAR_SETTLEMENT", "on", List.of("on", "off")).equals("on"),
        approverKeysRequired(read, production),
        passkeys(read),
        read.number("BURSAR_REQUESTS_PER_SECOND", 20_000, 1, 1_000_000),
        webhooksToPrivate(read, production),
        Optional.of(read.text("BURSAR_WITNESSES", "")).filter(text -> !text.isEmpty()).map(Path::of),
        tiles(read),
        new Relay(read.number("BURSAR_RELAYERS", 2, 0, 64), read.number("BURSAR_RELAY_BATCH", 100, 1, 100),
            read.number("BURSAR_RELAY_DELAY_MS", 200, 0, 60_000),
            read.number("BURSAR_RELAY_VALID_MINUTES", 60, 1, 1440)),
        Duration.ofSeconds(read.number("BURSAR_FUNDS_WAIT_SECONDS", (int) FundsCheck.WAIT.toSeconds(), 0, 86_400)));
    if (!read.faults.isEmpty()) {
      throw new Wrong(read.faults);
    }
    return settings;
  }

  private static boolean webhooksToPrivate(Reader read, boolean production) {
    boolean allowed = read.choice("BURSAR_WEBHOOKS_TO_PRIVATE", "refused", List.of("refused", "allowed"))
        .equals("allowed");
    if (production && allowed) {
      read.faults.add("`BURSAR_WEBHOOKS_TO_PRIVATE=allowed` is refused with `BURSAR_MODE=production`: a webhook could"
          + " reach whatever this machine reaches");
    }
    return allowed;
  }

  private static boolean approverKeysRequired(Reader read, boolean production) {
    boolean required = read
        .choice("BURSAR_APPROVER_KEYS", production ? "required" : "optional", List.of("required", "optional"))
        .equals("required");
    if (production && !required) {
      read.faults
          .add("`BURSAR_APPROVER_KEYS=optional` is refused with `BURSAR_MODE=production`: an approval is a signature");
    }
    return required;
  }

  private static Optional<S3Tiles.Settings> tiles(Reader read) {
    var place = read.text("BURSAR_TILES", "");
    if (place.isEmpty()) {
      return Optional.empty();
    }
    var region = read.text("BURSAR_S3_REGION", "us-east-1");
    var endpoint = read.text("BURSAR_S3_ENDPOINT", "https://s3." + region + ".amazonaws.com");
    var accessKey = read.required("BURSAR_S3_ACCESS_KEY");
    var secretKey = read.required("BURSAR_S3_SECRET_KEY");
    if (!place.matches("s3://[^/]+(/.*)?") || !region.matches("[a-z0-9-]{1,40}")) {
      read.faults.add("`BURSAR_TILES` must be a place such as `s3://bucket/prefix`, and `BURSAR_S3_REGION` a region");
      return Optional.empty();
    }
    if (!endpoint.matches("https://[A-Za-z0-9.:-]+|http://(127\\.0\\.0\\.1|localhost)(:[0-9]{1,5})?")) {
      read.faults.add("`BURSAR_S3_ENDPOINT` must be `https://` and a host, with nothing after it");
      return Optional.empty();
    }
    var parts = place.substring("s3://".length()).split("/", 2);
    try {
      return Optional.of(new S3Tiles.Settings(URI.create(endpoint), region, parts[0],
          parts.length == 1 ? "" : parts[1].replaceAll("/+$", ""), accessKey, new Database.Secret(secretKey)));
    } catch (IllegalArgumentException e) {
      read.faults.add("`BURSAR_TILES`: " + e.getMessage());
      return Optional.empty();
    }
  }

  private static Optional<Passkeys.Settings> passkeys(Reader read) {
    var relyingParty = read.text("BURSAR_PASSKEY_DOMAIN", "");
    var origins = Set.of(read.text("BURSAR_PASSKEY_ORIGINS", "https://" + relyingParty).split(","));
    if (relyingParty.isEmpty()) {
      return Optional.empty();
    }
    if (!relyingParty.matches("[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")) {
      read.faults
          .add("`BURSAR_PASSKEY_DOMAIN` must be a domain such as `bursar.example.com`, not `" + relyingParty + "`");
    }
    for (var origin : origins) {
      if (!origin.matches("https://[a-z0-9.-]+(:[0-9]{1,5})?|http://localhost(:[0-9]{1,5})?")) {
        read.faults.add(
            "`BURSAR_PASSKEY_ORIGINS` must be pages such as `https://bursar.example.com`, separated by commas, not `"
                + origin + "`");
      }
    }
    return Optional.of(new Passkeys.Settings(relyingParty, origins));
  }

  private static List<ChainSettings> chains(Reader read, boolean embeddedChain) {
    var chains = new ArrayList<ChainSettings>();
    chain(read, embeddedChain).ifPresent(chains::add);
    var file = read.text("BURSAR_CHAINS", "");
    if (!file.isEmpty()) {
      chains.addAll(ChainsFile.read(Path.of(file), read.faults));
    }
    var names = new HashSet<String>();
    chains.stream().filter(chain -> !names.add(chain.name()))
        .forEach(chain -> read.faults.add("chain `" + chain.name() + "` is configured twice"));
    return List.copyOf(chains);
  }

  private static Optional<ChainSettings> chain(Reader read, boolean embeddedChain) {
    var endpoints = read.text("BURSAR_RPC_URL", "");
    if (endpoints.isEmpty()) {
      return Optional.empty();
    }
    var name = read.text("BURSAR_CHAIN", embeddedChain ? "eip155:31337" : "");
    if (!Asset.CHAIN.matcher(name).matches()) {
      read.faults.add("`BURSAR_CHAIN` must be a CAIP-2 name such as `eip155:8453`, not `" + name + "`");
      return Optional.empty();
    }
    Confirmation confirmation;
    try {
      confirmation = Confirmation.parse(read.text("BURSAR_CONFIRMATIONS", embeddedChain ? "1" : "12"));
    } catch (IllegalArgumentException e) {
      read.faults.add("`BURSAR_CONFIRMATIONS` " + e.getMessage());
      return Optional.empty();
    }
    try {
      var uris = Arrays.stream(endpoints.split(",")).map(ChainsFile::endpoint).toList();
      return Optional.of(new ChainSettings(name, uris, confirmation, FeePolicy.DEFAULT));
    } catch (IllegalArgumentException e) {
      read.faults.add("`BURSAR_RPC_URL` " + e.getMessage());
      return Optional.empty();
    }
  }

  private static final class Reader {
    private final Map<String, String> environment;
    private final List<String> faults = new ArrayList<>();

    Reader(Map<String, String> environment) {
      this.environment = environment;
    }

    private @Nullable String given(String name) {
      var value = environment.get(name);
      return value == null || value.isEmpty() ? null : value;
    }

    String text(String name, String absent) {
      var value = given(name);
      return value == null ? absent : value;
    }

    String required(String name) {
      var value = given(name);
      if (value == null) {
        faults.add("`" + name + "` is required");
        return "";
      }
      return value;
    }

    String choice(String name, String absent, List<String> choices) {
      var value = text(name, absent);
      if (!choices.contains(value)) {
        faults.add("`" + name + "` must be one of " + choices + ", not `" + value + "`");
        return absent;
      }
      return value;
    }

    int number(String name, int absent, int min, int max) {
      var value = text(name, Integer.toString(absent));
      if (!value.matches("[0-9]{1,9}") || Integer.parseInt(value) < min || Integer.parseInt(value) > max) {
        faults.add("`" + name + "` must be a whole number from " + min + " to " + max + ", not `" + value + "`");
        return absent;
      }
      return Integer.parseInt(value);
    }
  }
}
