package io.bursar.api.directory;

import java.util.Objects;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Chains;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/assets}: the stablecoins that wallets may hold. */
@RestController
public final class AssetController {
  private final Directory directory;
  private final Chains chains;

  AssetController(Directory directory, Chains chains) {
    this.directory = directory;
    this.chains = chains;
  }

  @PostMapping("/v1/assets")
  ResponseEntity<byte[]> register(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var asset = Bodies.parse(Bodies.read(request), AssetController::read);
    checkContract(asset);
    var registered = directory.registerAsset(caller.tenantId(), asset, caller.actor()).orElseThrow(
        () -> Problem.of(ProblemCode.CONFLICT,
            "`" + asset.symbol() + "` or its contract is registered on " + asset.chain() + " already"));
    return Bodies.created(view(registered));
  }

  private static @Nullable Asset read(JsonReader reader) {
    int before = reader.faults().size();
    var chain = reader.requiredText("chain", 32);
    var contract = reader.requiredParsed("contract", 42, Address::parse);
    var symbol = reader.requiredText("symbol", 16);
    var decimals = reader.present("decimals") ? reader.number("decimals", 0, Asset.DECIMALS_MAX) : null;
    var currency = reader.text("currency", 8);
    if (reader.faults().size() > before) {
      return null;
    }
    try {
      return new Asset(Objects.requireNonNull(chain), Objects.requireNonNull(contract), Objects.requireNonNull(symbol),
          Objects.requireNonNull(decimals).intValue(), currency);
    } catch (IllegalArgumentException e) {
      var message = String.valueOf(e.getMessage());
      int space = message.indexOf(' ');
      reader.fault(message.substring(0, space), message.substring(space + 1));
      return null;
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
