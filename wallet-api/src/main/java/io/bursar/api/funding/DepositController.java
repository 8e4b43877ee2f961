package io.bursar.api.funding;

import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.directory.Wallets;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.Deposits;
import io.bursar.store.Deposits.Deposit;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/wallets/{id}/deposits}: what has arrived at a wallet in blocks that are final. */
@RestController
public final class DepositController {
  private final Deposits deposits;
  private final Wallets wallets;

  DepositController(Deposits deposits, Wallets wallets) {
    this.deposits = deposits;
    this.wallets = wallets;
  }

  @GetMapping("/v1/wallets/{id}/deposits")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    var wallet = wallets.find(caller, id);
    return Bodies
        .ok(Query.list(deposits.list(caller.tenantId(), wallet.id(), page), deposit -> view(deposit, wallet.chain())));
  }

  private static Json view(Deposit deposit, String chain) {
    var arrival = deposit.arrival();
    return Json.object().put("id", Id.DEPOSIT.text(deposit.id())).put("walletId", Id.WALLET.text(deposit.walletId()))
        .put("chain", chain).put("asset", deposit.asset())
        .put("amount", Amount.format(arrival.amount(), deposit.decimals())).put("baseUnits", arrival.amount())
        .put("from", arrival.payer().toString()).put("transactionHash", "0x" + arrival.place().transactionHash())
        .put("block", arrival.place().block()).put("logIndex", arrival.logIndex())
        .put("receivedAt", deposit.receivedAt().toString()).build();
  }
}
