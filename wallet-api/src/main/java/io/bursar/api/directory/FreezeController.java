package io.bursar.api.directory;

import java.util.UUID;

import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.signer.KeyFreezer;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.json.Json;
import io.bursar.permit.FreezeScope;
import io.bursar.store.KeyFreezes;
import io.bursar.store.Rotations;

/**
 * {@code /v1/wallets/{id}/freeze} and {@code /unfreeze}: of the wallet, which is denied spends, and of its key, by which the signer signs
 * nothing more. The way there is short; back, the signer asks for more than this service has.
 */
@RestController
public final class FreezeController {
  private final Wallets wallets;
  private final Rotations rotations;
  private final KeyFreezes freezes;
  private final KeyFreezer keys;

  FreezeController(Wallets wallets, Rotations rotations, KeyFreezes freezes, KeyFreezer keys) {
    this.wallets = wallets;
    this.rotations = rotations;
    this.freezes = freezes;
    this.keys = keys;
  }

  /** 200 once nothing more can be signed; 202 while that is still on its way to the signer. */
  @PostMapping("/v1/wallets/{id}/freeze")
  ResponseEntity<byte[]> freeze(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var walletId = wallets.find(caller, id).id();
    var freeze = keys.freeze(caller.tenantId(), walletId, caller.actor());
    var view = view(caller, id);
    return freeze.heldAt() == null ? Bodies.accepted(view) : Bodies.ok(view);
  }

  @PostMapping("/v1/wallets/{id}/unfreeze")
  ResponseEntity<byte[]> unfreeze(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var walletId = wallets.find(caller, id).id();
    if (rotations.find(caller.tenantId(), walletId).filter(rotation -> rotation.archivedAt() != null).isPresent()) {
      throw Problem.of(ProblemCode.WALLET_ARCHIVED,
          "the wallet was replaced by another and stays frozen; what has arrived at its address since is moved by "
              + "`POST /v1/wallets/{id}/rotation/sweep`");
    }
    var seen = freezes.find(caller.tenantId(), walletId);
    if (seen.filter(freeze -> freeze.heldAt() == null).isPresent()) {
      throw Problem.of(ProblemCode.KEY_FROZEN,
          "the freeze is still on its way to the signer; once it has arrived, the signer has to lift it first");
    }
    release(caller.tenantId(), walletId);
    if (!freezes.unfreeze(caller.tenantId(), walletId, seen, caller.actor())) {
      throw Problem.of(ProblemCode.CONFLICT, "the wallet was frozen again at the same time; try again");
    }
    return Bodies.ok(view(caller, id));
  }

  /** Takes back what a freeze over HTTP has asked of the signer, as far as it lets us; refuses where any freeze still holds. */
  private void release(UUID tenantId, UUID walletId) {
    try {
      if (keys.holding(tenantId, walletId).filter(FreezeScope.Hold.class::isInstance).isPresent()) {
        keys.release(walletId);
      }
      keys.holding(tenantId, walletId).ifPresent(scope -> {
        var frozen = switch (scope) {
          case FreezeScope.Key _,FreezeScope.Hold _ -> "this key";
          case FreezeScope.Tenant _ -> "all keys of this tenant";
          case FreezeScope.All _ -> "all keys";
        };
        throw Problem.of(ProblemCode.KEY_FROZEN, "the signer keeps " + frozen + " frozen, and this service cannot lift "
            + "that: have the signer's operator run `deploy/bursar unfreeze " + scope
            + "`, or, where it has a root set, the holders of its root keys sign an order `unfreeze` of `" + scope
            + "`; then unfreeze the wallet again");
      });
    } catch (SignerUnreachable e) {
      throw Problem.retryAfter(ProblemCode.SIGNER_UNAVAILABLE,
          "whether the signer keeps the key frozen cannot be asked now; nothing was changed; try again", 2);
    }
  }

  private Json view(Caller caller, String id) {
    var wallet = wallets.find(caller, id);
    return WalletController.view(wallet, freezes.find(caller.tenantId(), wallet.id()));
  }
}
