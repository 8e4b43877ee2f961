package io.bursar.api.rotation;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;

import org.springframework.stereotype.Component;

import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.directory.Wallets;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.spends.SpendDesk;
import io.bursar.api.spends.SpendView;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;
import io.bursar.store.Directory.RegisteredAsset;
import io.bursar.store.Directory.Wallet;
import io.bursar.store.Lane.Outcome;
import io.bursar.store.Reservations;
import io.bursar.store.Rotations;
import io.bursar.store.Spend;
import io.bursar.store.SpendStore;

/**
 * Spends that move what a wallet holds to its successor. They are the agent's own by every measure: policies decide them, limits
 * count them, approvers are asked; only an administrator asked for them.
 */
@Component
final class Sweeps {
  private static final String PURPOSE = "wallet rotation";

  private final Wallets wallets;
  private final Reservations reservations;
  private final Rotations rotations;
  private final Spending spending;

  /** What spends go in by, and how they are shown. */
  @Component
  record Spending(SpendDesk desk, SpendStore store, SpendView view) {}

  Sweeps(Wallets wallets, Reservations reservations, Rotations rotations, Spending spending) {
    this.wallets = wallets;
    this.reservations = reservations;
    this.rotations = rotations;
    this.spending = spending;
  }

  /** What a wallet holds of an asset. */
  BigInteger balance(Wallet wallet, Address contract) {
    try {
      return wallets.chain(wallet).balanceOf(contract, wallet.address());
    } catch (ChainUnavailable e) {
      throw Problem.retryAfter(ProblemCode.CHAIN_UNAVAILABLE, "the balance cannot be read now; try again", 5);
    }
  }

  /**
   * One spend for each asset of which there is something that is not spoken for, with its decision. An archived wallet to which
   * something came later is opened again for it.
   */
  List<Json> sweep(Caller caller, Wallet wallet, Wallet successor) {
    var tenantId = caller.tenantId();
    // In this order: a sweep that is counted is held too, and one that was settled has left the balance.
    long before = rotations.spends(tenantId, wallet.id(), successor.address());
    var held = reservations.unsettled(tenantId, wallet.id());
    List<Spend.Request> requests = new ArrayList<>();
    for (var registered : wallets.assets(tenantId, wallet)) {
      var free = balance(wallet, registered.asset().contract())
          .subtract(held.getOrDefault(registered.id(), BigInteger.ZERO));
      if (free.signum() > 0) {
        requests.add(request(wallet, successor, registered, free, before));
      }
    }
    if (!requests.isEmpty()) {
      rotations.reopen(tenantId, wallet.id(), caller.actor());
    }
    List<Json> swept = new ArrayList<>();
    for (var outcome : requests.isEmpty() ? List.<Outcome>of() : spending.desk.decide(tenantId, requests)) {
      swept.add(switch (outcome) {
        case Outcome.Decided(var spend) -> spending.view.of(spend, caller);
        case Outcome.Replayed(var id) ->
          spending.view.of(spending.store.find(tenantId, id).orElseThrow(), caller);
        case Outcome.KeyReused(var id) -> throw Problem.of(ProblemCode.CONFLICT,
            "another sweep of this wallet was asked for at the same time, " + Id.SPEND.text(id) + "; try again");
      });
    }
    return swept;
  }

  /**
   * The key holds the number of spends there were to the successor, so that two who ask at once get one spend, and who asks
   * again after a denial gets a new decision.
   */
  private static Spend.Request request(Wallet wallet, Wallet successor, RegisteredAsset registered, BigInteger amount,
      long before) {
    var asset = registered.asset();
    var key = "sweep-" + Id.WALLET.text(wallet.id()) + "-" + asset.symbol() + "-" + before;
    var document = Json.object().put("walletId", Id.WALLET.text(wallet.id())).put("asset", asset.symbol())
        .put("amount", Amount.format(amount, asset.decimals())).put("to", successor.address().toString())
        .put("purpose", PURPOSE).build();
    return new Spend.Request(wallet.agentId(), wallet.id(), key, Digest32.sha256(JsonText.canonical(document)).bytes(),
        registered, amount, successor.address(), null, null, new Spend.Text(PURPOSE, null, null), null);
  }
}
