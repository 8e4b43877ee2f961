package io.bursar.api.directory;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Chains;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.Relayer;
import io.bursar.store.Relayers;
import io.bursar.store.SettlementModes;
import io.bursar.store.SettlementModes.Mode;
import jakarta.servlet.http.HttpServletRequest;

/** How the spends of an asset or a wallet reach the chain, and the relayers that take authorizations there. */
@RestController
public final class SettlementController {
  private static final int COIN_DECIMALS = 18;
  private static final String BY_ASSET = "asset";

  private final SettlementModes modes;
  private final Relayers relayers;
  private final Wallets wallets;
  private final Chains chains;

  SettlementController(SettlementModes modes, Relayers relayers, Wallets wallets, Chains chains) {
    this.modes = modes;
    this.relayers = relayers;
    this.wallets = wallets;
    this.chains = chains;
  }

  private record Wanted(@Nullable String mode) {}

  @GetMapping("/v1/assets/{id}/settlement")
  ResponseEntity<byte[]> ofAsset(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return assetView(caller, asset(id));
  }

  @PutMapping("/v1/assets/{id}/settlement")
  ResponseEntity<byte[]> setAsset(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var asset = asset(id);
    var mode = mode(
        Objects.requireNonNull(Bodies.parse(Bodies.read(request), reader -> read(reader, List.of("direct", "relayed")))
            .mode()))
        .orElseThrow();
    if (modes.ofAsset(caller.tenantId(), asset).isEmpty()) {
      throw Problem.notFound("asset");
    }
    if (!modes.setAsset(caller.tenantId(), asset, mode, caller.actor())) {
      throw Problem.of(ProblemCode.CONFLICT,
          "the token takes no authorizations (EIP-3009), so its spends cannot be relayed");
    }
    return assetView(caller, asset);
  }

  private ResponseEntity<byte[]> assetView(Caller caller, UUID asset) {
    var setting = modes.ofAsset(caller.tenantId(), asset).orElseThrow(() -> Problem.notFound("asset"));
    return Bodies
        .ok(Json.object().put("mode", setting.mode().text()).put("authorizations", setting.token() != null).build());
  }

  @GetMapping("/v1/wallets/{id}/settlement")
  ResponseEntity<byte[]> ofWallet(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return walletView(caller, wallets.find(caller, id).id());
  }

  @PutMapping("/v1/wallets/{id}/settlement")
  ResponseEntity<byte[]> setWallet(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var wallet = wallets.find(caller, id).id();
    var mode = Objects.requireNonNull(
        Bodies.parse(Bodies.read(request), reader -> read(reader, List.of("direct", "relayed", BY_ASSET))).mode());
    modes.setWallet(caller.tenantId(), wallet, mode(mode), caller.actor());
    return walletView(caller, wallet);
  }

  private ResponseEntity<byte[]> walletView(Caller caller, UUID wallet) {
    var setting = modes.ofWallet(caller.tenantId(), wallet).orElseThrow(() -> Problem.notFound("wallet"));
    return Bodies.ok(Json.object().put("mode", setting.mode().map(Mode::text).orElse(BY_ASSET)).build());
  }

  /** The pool, with what each account holds of its chain's native coin where its node can be asked. */
  @GetMapping("/v1/relayers")
  ResponseEntity<byte[]> relayers() {
    List<Json> data = new ArrayList<>();
    for (var standing : relayers.standings()) {
      var relayer = standing.relayer();
      data.add(Json.object().put("chain", relayer.chain()).put("address", relayer.address().toString())
          .put("balance", balance(relayer)).put("nextNonce", standing.nextNonce()).put("unsettled", standing.open())
          .put("refillsOthers", relayer.refillsOthers())
          .build());
    }
    return Bodies.ok(Json.object().put("data", new Json.Arr(data)).build());
  }

  private @Nullable String balance(Relayer relayer) {
    var chain = chains.find(relayer.chain());
    try {
      return chain.isEmpty() ? null : Amount.format(chain.get().balance(relayer.address()), COIN_DECIMALS);
    } catch (ChainUnavailable e) {
      return null;
    }
  }

  private static UUID asset(String id) {
    return Id.ASSET.parse(id).orElseThrow(() -> Problem.notFound("asset"));
  }

  private static Wanted read(JsonReader reader, List<String> choices) {
    return new Wanted(reader.requiredParsed("mode", 16, text -> {
      if (!choices.contains(text)) {
        throw new IllegalArgumentException("must be one of " + String.join(", ", choices));
      }
      return text;
    }));
  }

  private static Optional<Mode> mode(String text) {
    return text.equals(BY_ASSET) ? Optional.empty() : Optional.of(Mode.valueOf(text.toUpperCase(Locale.ROOT)));
  }
}
