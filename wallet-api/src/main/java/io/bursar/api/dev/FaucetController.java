package io.bursar.api.dev;

import java.math.BigInteger;
import java.util.List;
import java.util.Objects;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.context.annotation.Conditional;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/dev/faucet}: money for the asking, on the development chain only. */
@RestController
@Conditional(DevelopmentWiring.EmbeddedChain.class)
public final class FaucetController {
  /** A billion units at once are enough for any test. */
  private static final BigInteger UNITS_MAX = BigInteger.TEN.pow(9);

  private final Development development;
  private final Directory directory;

  FaucetController(Development development, Directory directory) {
    this.development = development;
    this.directory = directory;
  }

  private record Wanted(@Nullable UUID walletId, @Nullable String asset, @Nullable String amount) {}

  @PostMapping("/v1/dev/faucet")
  ResponseEntity<byte[]> fund(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), FaucetController::read);
    var wallet = directory.wallet(caller.tenantId(), Objects.requireNonNull(wanted.walletId()))
        .orElseThrow(() -> Problem.notFound("wallet"));
    var registered = directory.asset(caller.tenantId(), wallet.chain(), Objects.requireNonNull(wanted.asset()))
        .orElseThrow(() -> Problem.of(ProblemCode.ASSET_NOT_REGISTERED,
            List.of(
                new JsonReader.Fault("/asset", "`" + wanted.asset() + "` is not registered on " + wallet.chain()))));
    var units = units(Objects.requireNonNull(wanted.amount()), registered.asset().decimals());
    try {
      development.fund(caller.tenantId(), wallet, registered, units);
    } catch (ChainUnavailable e) {
      throw Problem.retryAfter(ProblemCode.CHAIN_UNAVAILABLE, String.valueOf(e.getMessage()), 2);
    }
    return Bodies
        .ok(Json.object().put("walletId", Id.WALLET.text(wallet.id())).put("asset", registered.asset().symbol())
            .put("amount", Amount.format(units, registered.asset().decimals())).build());
  }

  private static Wanted read(JsonReader reader) {
    return new Wanted(
        reader.requiredParsed("walletId", 64,
            text -> Id.WALLET.parse(text)
                .orElseThrow(() -> new IllegalArgumentException("is not the identifier of a wallet"))),
        reader.requiredText("asset", 16), reader.requiredText("amount", 160));
  }

  /** How many decimals an amount may have is known only once the asset is. */
  private static BigInteger units(String text, int decimals) {
    try {
      var units = Amount.parse(text, decimals);
      if (units.signum() == 0 || units.compareTo(UNITS_MAX.multiply(BigInteger.TEN.pow(decimals))) > 0) {
        throw new IllegalArgumentException("must be more than 0 and at most " + UNITS_MAX);
      }
      return units;
    } catch (IllegalArgumentException e) {
      throw Problem.of(ProblemCode.INVALID_REQUEST,
          List.of(new JsonReader.Fault("/amount", String.valueOf(e.getMessage()))));
    }
  }
}
