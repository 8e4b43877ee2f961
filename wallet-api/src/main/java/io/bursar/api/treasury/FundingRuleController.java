package io.bursar.api.treasury;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.directory.Wallets;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import io.bursar.store.Directory.RegisteredAsset;
import io.bursar.store.Directory.Wallet;
import io.bursar.store.FundingRules;
import io.bursar.store.FundingRules.Kind;
import io.bursar.store.FundingRules.Rule;
import io.bursar.store.FundingRules.Terms;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/wallets/{id}/funding-rules}: when a wallet is swept to a treasury wallet, and when it is topped up from there. */
@RestController
public final class FundingRuleController {
  private static final int SYMBOL_MAX = 32;
  private static final int AMOUNT_MAX = 100;
  private static final int ID_MAX = 64;

  private final FundingRules rules;
  private final Wallets wallets;
  private final Directory directory;

  FundingRuleController(FundingRules rules, Wallets wallets, Directory directory) {
    this.rules = rules;
    this.wallets = wallets;
    this.directory = directory;
  }

  @GetMapping("/v1/wallets/{id}/funding-rules")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return answer(caller, wallets.find(caller, id));
  }

  /** All rules of the wallet at once, so that those of one asset can be held against each other. */
  @PutMapping("/v1/wallets/{id}/funding-rules")
  ResponseEntity<byte[]> set(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id,
      HttpServletRequest request) {
    var wallet = wallets.find(caller, id);
    var wanted = Bodies.parse(Bodies.read(request), reader -> read(reader, caller, wallet));
    rules.set(caller.tenantId(), wallet.id(), wanted, caller.actor());
    return answer(caller, wallet);
  }

  @DeleteMapping("/v1/wallets/{id}/funding-rules")
  ResponseEntity<byte[]> delete(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var wallet = wallets.find(caller, id);
    rules.set(caller.tenantId(), wallet.id(), List.of(), caller.actor());
    return Bodies.noContent();
  }

  private ResponseEntity<byte[]> answer(Caller caller, Wallet wallet) {
    return Bodies.ok(Json.object().put("data", new Json.Arr(
        rules.of(caller.tenantId(), wallet.id()).stream().map(FundingRuleController::view).toList())).build());
  }

  private static Json view(Rule rule) {
    var terms = rule.terms();
    var progress = rule.progress();
    int decimals = terms.asset().asset().decimals();
    return Json.object().put("kind", terms.kind().text()).put("asset", terms.asset().asset().symbol())
        .put("threshold", Amount.format(terms.threshold(), decimals))
        .put("target", Amount.format(terms.target(), decimals))
        .put("treasuryId", Id.WALLET.text(terms.treasuryId()))
        .put("status", progress.state() != null ? "moving" : progress.note() == null ? "idle" : "held")
        .put("lastSpendId", progress.spendId() == null ? null : Id.SPEND.text(progress.spendId()))
        .put("failure", progress.note()).put("nextAt", progress.dueAt().toString())
        .put("createdAt", rule.createdAt().toString()).build();
  }

  private List<Terms> read(JsonReader reader, Caller caller, Wallet wallet) {
    var items = reader.present("rules") ? reader.array("rules", FundingRules.RULES_MAX) : null;
    var wanted = new ArrayList<Terms>();
    var known = new HashMap<String, Terms>();
    for (int i = 0; items != null && i < items.size(); i++) {
      var item = JsonReader.of(items.get(i), "/rules/" + i, reader.faults());
      var terms = rule(item, caller, wallet);
      item.refuseUnknown();
      if (terms != null) {
        compare(item, terms, known);
        wanted.add(terms);
      }
    }
    return wanted;
  }

  private @Nullable Terms rule(JsonReader item, Caller caller, Wallet wallet) {
    var kind = item.requiredParsed("kind", ID_MAX, FundingRuleController::kind);
    RegisteredAsset asset = item.requiredParsed("asset", SYMBOL_MAX,
        symbol -> directory.asset(caller.tenantId(), wallet.chain(), symbol).orElseThrow(
            () -> new IllegalArgumentException("is not an asset that is registered on the wallet's chain")));
    var treasury = item.requiredParsed("treasuryId", ID_MAX, text -> treasury(text, caller, wallet));
    int decimals = asset == null ? 0 : asset.asset().decimals();
    BigInteger threshold = asset == null
        ? null
        : item.requiredParsed("threshold", AMOUNT_MAX, text -> Amount.parse(text, decimals));
    BigInteger target = asset == null
        ? null
        : item.requiredParsed("target", AMOUNT_MAX, text -> Amount.parse(text, decimals));
    if (kind == null || asset == null || treasury == null || threshold == null || target == null) {
      return null;
    }
    if (kind == Kind.SWEEP && target.compareTo(threshold) > 0) {
      item.fault("target", "must not be above `threshold`: a sweep leaves less than there was");
    }
    if (kind == Kind.TOP_UP && (target.compareTo(threshold) < 0 || target.signum() == 0)) {
      item.fault("target", "must be above 0 and not below `threshold`: a top-up leaves more than there was");
    }
    return new Terms(kind, asset, threshold, target, treasury);
  }

  /** Two rules of one asset must not undo each other for ever. */
  private static void compare(JsonReader item, Terms terms, Map<String, Terms> known) {
    var symbol = terms.asset().asset().symbol();
    var other = known.putIfAbsent(symbol, terms);
    if (other == null) {
      return;
    }
    if (other.kind() == terms.kind() || known.containsKey(symbol + " twice")) {
      item.fault("kind", "stands twice for " + symbol);
      return;
    }
    known.put(symbol + " twice", terms);
    var sweep = terms.kind() == Kind.SWEEP ? terms : other;
    var topUp = terms.kind() == Kind.SWEEP ? other : terms;
    if (topUp.target().compareTo(sweep.threshold()) > 0 || sweep.target().compareTo(topUp.threshold()) < 0) {
      item.fault("target", "would set off the other rule of " + symbol
          + ": a top-up must not fill above the sweep's `threshold`, nor a sweep leave less than the top-up's");
    }
  }

  private static Kind kind(String text) {
    for (var kind : Kind.values()) {
      if (kind.text().equals(text)) {
        return kind;
      }
    }
    throw new IllegalArgumentException("must be `sweep` or `topUp`");
  }

  private UUID treasury(String text, Caller caller, Wallet wallet) {
    return Id.WALLET.parse(text).flatMap(id -> directory.wallet(caller.tenantId(), id))
        .filter(found -> found.chain().equals(wallet.chain()) && !found.id().equals(wallet.id()))
        .orElseThrow(() -> new IllegalArgumentException("is not another wallet on the same chain"))
        .id();
  }
}
