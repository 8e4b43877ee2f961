package io.bursar.api.rotation;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.directory.Wallets;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.Directory.Wallet;
import io.bursar.store.Ids;
import io.bursar.store.Rotations;
import io.bursar.store.Rotations.Rotation;

/**
 * {@code /v1/wallets/{id}/rotation}: a new key for a wallet's money, in three steps that may each be repeated. The successor is
 * made; what the old wallet holds is swept to it by spends that the policies in force decide as any other; and once nothing is
 * left, the old wallet is archived. What arrives at its address after that is swept as before, and it is archived again.
 */
@RestController
public final class RotationController {
  private final Rotations rotations;
  private final Sweeps sweeps;
  private final Wallets wallets;

  RotationController(Rotations rotations, Sweeps sweeps, Wallets wallets) {
    this.rotations = rotations;
    this.sweeps = sweeps;
    this.wallets = wallets;
  }

  @PostMapping("/v1/wallets/{id}/rotation")
  ResponseEntity<byte[]> begin(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var wallet = wallets.find(caller, id);
    var known = rotations.find(caller.tenantId(), wallet.id());
    if (known.isPresent()) {
      return Bodies.ok(view(known.get()));
    }
    // The key comes first: a wallet without a key must never be seen, a key without a wallet does nothing.
    var successorId = Ids.next(Instant.now());
    var address = wallets.makeKey(caller.tenantId(), successorId, "the wallet was not rotated");
    return Bodies.created(view(rotations.begin(caller.tenantId(), wallet, successorId, address, caller.actor())));
  }

  @GetMapping("/v1/wallets/{id}/rotation")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return Bodies.ok(view(rotation(caller, wallets.find(caller, id))));
  }

  /** One spend for each asset that the old wallet has something of which is not spoken for. */
  @PostMapping("/v1/wallets/{id}/rotation/sweep")
  ResponseEntity<byte[]> sweep(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var wallet = wallets.find(caller, id);
    var successor = rotation(caller, wallet).successor();
    return Bodies.ok(Json.object().put("data", new Json.Arr(sweeps.sweep(caller, wallet, successor))).build());
  }

  @PostMapping("/v1/wallets/{id}/rotation/archive")
  ResponseEntity<byte[]> archive(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var wallet = wallets.find(caller, id);
    var rotation = rotation(caller, wallet);
    if (rotation.archivedAt() == null) {
      refuseUnlessEmpty(caller, wallet);
    }
    return Bodies.ok(view(rotations.archive(caller.tenantId(), wallet.id(), caller.actor())
        .orElseThrow(() -> Problem.of(ProblemCode.WALLET_NOT_EMPTY,
            "a payment of the wallet is not settled yet; see `GET /v1/spends?walletId=" + Id.WALLET.text(wallet.id())
                + "`"))));
  }

  private void refuseUnlessEmpty(Caller caller, Wallet wallet) {
    List<String> left = new ArrayList<>();
    for (var registered : wallets.assets(caller.tenantId(), wallet)) {
      var asset = registered.asset();
      var amount = sweeps.balance(wallet, asset.contract());
      if (amount.signum() > 0) {
        left.add(Amount.format(amount, asset.decimals()) + " " + asset.symbol());
      }
    }
    if (!left.isEmpty()) {
      throw Problem.of(ProblemCode.WALLET_NOT_EMPTY,
          "the wallet still holds " + String.join(", ", left) + "; sweep it first, and wait until that is settled");
    }
  }

  private Rotation rotation(Caller caller, Wallet wallet) {
    return rotations.find(caller.tenantId(), wallet.id()).orElseThrow(() -> Problem.of(ProblemCode.WALLET_NOT_ROTATED,
        "make a successor first, by `POST /v1/wallets/{id}/rotation`"));
  }

  private static Json view(Rotation rotation) {
    var archivedAt = rotation.archivedAt();
    return Json.object().put("walletId", Id.WALLET.text(rotation.walletId()))
        .put("successorId", Id.WALLET.text(rotation.successor().id()))
        .put("successorAddress", rotation.successor().address().toString())
        .put("status", archivedAt == null ? "moving" : "archived").put("rotatedAt", rotation.rotatedAt().toString())
        .put("archivedAt", archivedAt == null ? null : archivedAt.toString()).build();
  }
}
