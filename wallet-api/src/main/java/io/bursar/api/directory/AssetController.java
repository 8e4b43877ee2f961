package io.bursar.api.directory;

import java.util.Objects;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.Settings;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Chains;
import io.bursar.api.chain.Eip3009;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.permit.RelayIntent;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import io.bursar.store.RelayedPayment;
import io.bursar.store.SettlementModes;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/assets}: the stablecoins that wallets may hold. */
@RestController
public final class AssetController {
  private static final Logger LOG = LoggerFactory.getLogger(AssetController.class);

  private final Directory directory;
  private final Chains chains;

  private final SettlementModes modes;
  private final Settings settings;

  AssetController(Directory directory, Chains chains, SettlementModes modes, Settings settings) {
    this.directory = directory;
    this.chains = chains;
    this.modes = modes;
    this.settings = settings;
  }

  @PostMapping("/v1/assets")
  ResponseEntity<byte[]> register(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var asset = Bodies.parse(Bodies.read(request), AssetController::read);
    checkContract(asset);
    var registered = directory.registerAsset(caller.tenantId(), asset, caller.actor()).orElseThrow(
        () -> Problem.of(ProblemCode.CONFLICT,
            "`" + asset.symbol() + "` or its contract is registered on " + asset.chain() + " already"));
    relayIfPossible(caller, registered);
    return Bodies.created(view(registered));
  }

  private static @Nullable Asset read(JsonReader reader) {
    int before = reader.faults().size();
    var chain = reader.requiredParsed("chain", 32,
        text -> matching(Asset.CHAIN, text, "must be a CAIP-2 name such as `eip155:8453`"));
    var contract = reader.requiredParsed("contract", 42, Address::parse);
    var symbol = reader.requiredParsed("symbol", 16,
        text -> matching(Asset.SYMBOL, text, "must be 1 to 16 letters, digits and `.+_-`, such as `USDC`"));
    var decimals = reader.present("decimals") ? reader.number("decimals", 0, Asset.DECIMALS_MAX) : null;
    var currency = reader.parsed("currency", 8,
        text -> matching(Asset.CURRENCY, text, "must be 3 to 8 capital letters such as `USD`"));
    if (reader.faults().size() > before) {
      return null;
    }
    return new Asset(Objects.requireNonNull(chain), Objects.requireNonNull(contract), Objects.requireNonNull(symbol),
        Objects.requireNonNull(decimals).intValue(), currency);
  }

  private static String matching(Pattern pattern, String text, String message) {
    if (!pattern.matcher(text).matches()) {
      throw new IllegalArgumentException(message);
    }
    return text;
  }

  /** Where the token takes authorizations and this instance has relayers, its wallets need no native coin. */
  private void relayIfPossible(Caller caller, Directory.RegisteredAsset registered) {
    try {
      var chain = chains.find(registered.asset().chain()).orElseThrow();
      var domain = Eip3009.domain(chain, registered.asset().contract());
      if (domain.isPresent()) {
        modes.relay(caller.tenantId(), registered.id(),
            new RelayedPayment.Token(domain.get().name(), domain.get().version()), caller.actor());
      }
      if (domain.isPresent()
          && (settings.relay().relayers() == 0 || !Eip3009.isContract(chain, RelayIntent.MULTICALL))) {
        modes.setAsset(caller.tenantId(), registered.id(), SettlementModes.Mode.DIRECT, caller.actor());
      }
    } catch (ChainUnavailable e) {
      LOG.warn("whether `{}` takes authorizations is not known, so its spends are settled directly: {}",
          registered.asset().contract(), e.getMessage());
    }
  }

  /** The contract itself says how many decimals it has; anything else would misplace every amount. */
  private void checkContract(Asset asset) {
    try {
      var token = chains.find(asset.chain()).orElseThrow(() -> Problem.of(ProblemCode.INVALID_REQUEST,
          java.util.List.of(new JsonReader.Fault("/chain", "`" + asset.chain() + "` is not a chain of this instance"))))
          .token(asset.contract());
      if (token.isEmpty()) {
        throw Problem.of(ProblemCode.INVALID_REQUEST,
            java.util.List.of(new JsonReader.Fault("/contract", "is not an ERC-20 token on " + asset.chain())));
      }
      if (token.get().decimals() != asset.decimals()) {
        throw Problem.of(ProblemCode.INVALID_REQUEST,
            java.util.List.of(new JsonReader.Fault("/decimals", "the contract has " + token.get().decimals())));
      }
    } catch (ChainUnavailable e) {
      throw Problem.retryAfter(ProblemCode.CHAIN_UNAVAILABLE, "the contract cannot be checked now; try again", 5);
    }
  }

  @GetMapping("/v1/assets")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(directory.assets(caller.tenantId(), page), AssetController::view));
  }

  static Json view(Directory.RegisteredAsset registered) {
    var asset = registered.asset();
    return Json.object().put("id", Id.ASSET.text(registered.id())).put("chain", asset.chain())
        .put("contract", asset.contract().toString()).put("symbol", asset.symbol()).put("decimals", asset.decimals())
        .put("currency", asset.currency()).put("createdAt", registered.createdAt().toString()).build();
  }
}
