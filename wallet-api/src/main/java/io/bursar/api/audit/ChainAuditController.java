package io.bursar.api.audit;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.directory.Wallets;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.money.Amount;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;
import io.bursar.store.AuditQuestions;
import io.bursar.store.Directory;
import io.bursar.store.Reservations;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogState;
import io.bursar.store.log.LogUnavailable;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/audit}: where the chain has the last word on our books. */
@RestController
public final class ChainAuditController {
  private static final long BLOCKS_DEFAULT = 10_000;
  private static final long BLOCKS_MAX = 100_000;

  private final Directory directory;
  private final AuditQuestions questions;
  private final Reservations reservations;
  private final Wallets wallets;
  private final Log log;

  ChainAuditController(Directory directory, AuditQuestions questions, Reservations reservations, Wallets wallets,
      Log log) {
    this.directory = directory;
    this.questions = questions;
    this.reservations = reservations;
    this.wallets = wallets;
    this.log = log;
  }

  /**
   * What left a wallet without an authorization; there must be nothing. Every transaction of an account takes one nonce, so
   * nonces that no payment has are transactions that nobody authorized; transfers of registered assets are searched besides,
   * because a token may move by somebody else's transaction.
   */
  @GetMapping("/v1/audit/unauthorized-transactions")
  ResponseEntity<byte[]> unauthorized(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    long blocks = query.get("blocks", ChainAuditController::blocks).orElse(BLOCKS_DEFAULT);
    var agent = query.id("agentId", Id.AGENT);
    var page = query.page();
    query.refuseFaults();
    var found = directory.wallets(caller.tenantId(), agent, page);
    return Bodies.ok(Query.list(found, wallet -> onChain(wallet, (chain, at) -> {
      long mined = chain.transactionCount(wallet.address(), at);
      long first = Math.max(0, at - blocks + 1);
      var nonces = questions.noncesWithoutPayment(caller.tenantId(), wallet.id(), mined);
      var transfers = new ArrayList<Digest32>();
      for (var asset : wallets.assets(caller.tenantId(), wallet)) {
        transfers.addAll(chain.transfersFrom(asset.asset().contract(), wallet.address(), first, at));
      }
      var unknown = questions.withoutAuthorization(caller.tenantId(), transfers.stream().distinct().toList());
      return view(wallet, at).put("transactions", mined)
          .put("noncesWithoutPayment", new Json.Arr(nonces.stream().<Json>map(Json.Num::new).toList()))
          .put("transfersSinceBlock", first)
          .put("transfersWithoutAuthorization", Json.strings(unknown.stream().map(hash -> "0x" + hash).toList()))
          .build();
    })));
  }

  private static long blocks(String text) {
    if (!text.matches("[0-9]{1,6}") || Long.parseLong(text) < 1 || Long.parseLong(text) > BLOCKS_MAX) {
      throw new IllegalArgumentException("must be a whole number from 1 to " + BLOCKS_MAX);
    }
    return Long.parseLong(text);
  }

  /**
   * What each wallet holds on its chain, against what our books have promised from it: as of one number of the record, and with a
   * signed head that covers it, so that nobody can later say that the books were others. Where the log cannot go on, the last head
   * is answered, which may not go so far.
   */
  @GetMapping("/v1/audit/reserves")
  ResponseEntity<byte[]> reserves(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var agent = query.id("agentId", Id.AGENT);
    var page = query.page();
    query.refuseFaults();
    var found = directory.wallets(caller.tenantId(), agent, page);
    var books = reservations.books(caller.tenantId(), found.items().stream().map(Directory.Wallet::id).toList());
    var list = (Json.Obj) Query.list(found, wallet -> onChain(wallet, (chain, at) -> {
      var promised = Objects.requireNonNull(books.promised().get(wallet.id()));
      List<Json> balances = new ArrayList<>();
      for (var asset : wallets.assets(caller.tenantId(), wallet)) {
        var held = chain.balanceOf(asset.asset().contract(), wallet.address(), at);
        var reserved = promised.getOrDefault(asset.id(), BigInteger.ZERO);
        int decimals = asset.asset().decimals();
        balances.add(Json.object().put("asset", asset.asset().symbol()).put("onChain", Amount.format(held, decimals))
            .put("promised", Amount.format(reserved, decimals)).put("covered", held.compareTo(reserved) >= 0).build());
      }
      return view(wallet, at).put("balances", new Json.Arr(balances)).build();
    }));
    var head = head(caller);
    return Bodies.ok(Json.object().put("recordedSeq", books.recordedSeq()).put("checkpointSize", head.checkpointSize())
        .put("checkpoint",
            head.checkpoint().map(note -> new String(note.encode(), StandardCharsets.UTF_8)).orElse(null))
        .put("data", list.get("data")).put("nextCursor", list.get("nextCursor")).build());
  }

  private LogState head(Caller caller) {
    try {
      log.catchUp(caller.tenantId());
    } catch (LogUnavailable e) {
      // The answer says how far the last head goes.
    }
    return log.state(caller.tenantId());
  }

  private static Json.Builder view(Directory.Wallet wallet, long block) {
    return Json.object().put("walletId", Id.WALLET.text(wallet.id())).put("address", wallet.address().toString())
        .put("chain", wallet.chain()).put("block", block);
  }

  /** A question about a wallet, as of the last block that is final there. */
  @FunctionalInterface
  private interface Question {
    Json ask(Chain chain, long block) throws ChainUnavailable;
  }

  private Json onChain(Directory.Wallet wallet, Question question) {
    var chain = wallets.chain(wallet);
    try {
      return question.ask(chain, Math.max(0, chain.settled()));
    } catch (ChainUnavailable e) {
      throw Problem.retryAfter(ProblemCode.CHAIN_UNAVAILABLE, "the chain cannot be asked now; try again", 5);
    }
  }
}
