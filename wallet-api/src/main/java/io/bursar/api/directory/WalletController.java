package io.bursar.api.directory;

import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.chain.Arrivals;
import io.bursar.api.chain.Chain;
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
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import io.bursar.store.Ids;
import io.bursar.store.KeyFreezes;
import io.bursar.store.KeyFreezes.KeyFreeze;
import io.bursar.store.Reservations;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/wallets}: accounts whose keys the signer makes and keeps. */
@RestController
public final class WalletController {
  /** Further back than this nothing is pending on any chain that works. */
  private static final int PENDING_BLOCKS_MAX = 10_000;

  private final Directory directory;
  private final Reservations reservations;
  private final KeyFreezes freezes;
  private final Wallets wallets;
  private final Chains chains;

  WalletController(Directory directory, Reservations reservations, KeyFreezes freezes, Wallets wallets,
      Chains chains) {
    this.directory = directory;
    this.reservations = reservations;
    this.freezes = freezes;
    this.wallets = wallets;
    this.chains = chains;
  }

  /** @param keyId of a key that the signer took in, with its address; both or neither */
  private record Wanted(@Nullable UUID agentId, @Nullable String chain, @Nullable String name, @Nullable UUID keyId,
      @Nullable Address address) {}

  @PostMapping("/v1/wallets")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var wanted = Bodies.parse(Bodies.read(request), this::read);
    var agentId = Objects.requireNonNull(wanted.agentId());
    if (directory.agent(caller.tenantId(), agentId).isEmpty()) {
      throw Problem.notFound("agent");
    }
    // The key comes first: a wallet without a key must never be seen, a key without a wallet does nothing.
    var keyId = wanted.keyId();
    var walletId = keyId == null ? Ids.next(Instant.now()) : keyId;
    if (keyId != null && directory.wallet(caller.tenantId(), keyId).isPresent()) {
      throw Problem.of(ProblemCode.CONFLICT, "the key `" + keyId + "` has a wallet already, " + Id.WALLET.text(keyId));
    }
    var address = wallets.makeKey(caller.tenantId(), walletId, "no wallet was made");
    if (wanted.address() != null && !address.equals(wanted.address())) {
      throw Problem.of(ProblemCode.KEY_NOT_IMPORTED, "the signer's key `" + keyId + "` has the address `" + address
          + "`; take the key into the signer before its wallet is made");
    }
    return Bodies.created(
        view(directory.createWallet(caller.tenantId(), walletId, agentId, Objects.requireNonNull(wanted.chain()),
            address, Objects.requireNonNull(wanted.name()), caller.actor()), Optional.empty()));
  }

  private Wanted read(JsonReader reader) {
    var agentId = reader.requiredParsed("agentId", 64,
        text -> Id.AGENT.parse(text)
            .orElseThrow(() -> new IllegalArgumentException("is not the identifier of an agent")));
    var chain = reader.requiredParsed("chain", 32, this::chain);
    var name = reader.requiredText("name", Names.LENGTH_MAX);
    var keyId = reader.parsed("keyId", 36, WalletController::keyId);
    var address = reader.parsed("address", 42, Address::parse);
    if (reader.has("keyId") != reader.has("address")) {
      reader.fault(reader.has("keyId") ? "address" : "keyId", "is required beside the other of `keyId` and `address`");
    }
    return new Wanted(agentId, chain, name, keyId, address);
  }

  private static UUID keyId(String text) {
    var id = UUID.fromString(text);
    if (!id.toString().equals(text)) {
      throw new IllegalArgumentException("must be a key's id as the ceremony printed it");
    }
    return id;
  }

  private String chain(String name) {
    if (!Asset.CHAIN.matcher(name).matches()) {
      throw new IllegalArgumentException("must be a CAIP-2 name such as `eip155:8453`");
    }
    if (chains.find(name).isEmpty()) {
      throw new IllegalArgumentException("`" + name + "` is not a chain of this instance; known: " + chains.names());
    }
    return name;
  }

  @GetMapping("/v1/wallets")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var agent = query.id("agentId", Id.AGENT);
    var page = query.page();
    query.refuseFaults();
    var found = directory.wallets(caller.tenantId(), caller.onlyAgent().or(() -> agent), page);
    var frozen = freezes.of(caller.tenantId(), found.items().stream().map(Directory.Wallet::id).toList());
    return Bodies
        .ok(Query.list(found, wallet -> view(wallet, Optional.ofNullable(frozen.get(wallet.id())))));
  }

  @GetMapping("/v1/wallets/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var wallet = wallets.find(caller, id);
    return Bodies.ok(view(wallet, freezes.find(caller.tenantId(), wallet.id())));
  }

  /** What the wallet holds on its chain of each asset registered there, how much of it is spoken for, and what is not final yet. */
  @GetMapping("/v1/wallets/{id}/balances")
  ResponseEntity<byte[]> balances(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var wallet = wallets.find(caller, id);
    var chain = wallets.chain(wallet);
    var reserved = reservations.unsettled(caller.tenantId(), wallet.id());
    var assets = wallets.assets(caller.tenantId(), wallet);
    List<Json> data = new ArrayList<>();
    try {
      var pending = pending(chain, wallet, assets);
      for (var registered : assets) {
        var asset = registered.asset();
        var amount = chain.balanceOf(asset.contract(), wallet.address());
        var held = reserved.getOrDefault(registered.id(), BigInteger.ZERO);
        var arriving = pending.getOrDefault(asset.contract(), BigInteger.ZERO);
        data.add(Json.object().put("asset", asset.symbol()).put("amount", Amount.format(amount, asset.decimals()))
            .put("reserved", Amount.format(held, asset.decimals()))
            .put("available", Amount.format(amount.subtract(held).max(BigInteger.ZERO), asset.decimals()))
            .put("pending", Amount.format(arriving, asset.decimals())).build());
      }
    } catch (ChainUnavailable e) {
      throw Problem.retryAfter(ProblemCode.CHAIN_UNAVAILABLE, "the balance cannot be read now; try again", 5);
    }
    return Bodies.ok(Json.object().put("data", new Json.Arr(data)).build());
  }

  /** By token, what has come in blocks that are not final yet. */
  private static Map<Address, BigInteger> pending(Chain chain, Directory.Wallet wallet,
      List<Directory.RegisteredAsset> assets) throws ChainUnavailable {
    var tokens = assets.stream().map(registered -> registered.asset().contract()).toList();
    var pending = new HashMap<Address, BigInteger>();
    long settled = chain.settled();
    long head = chain.head();
    for (var arrival : Arrivals.between(chain, tokens, List.of(wallet.address()),
        Math.max(Math.max(0, settled + 1), head - PENDING_BLOCKS_MAX), head)) {
      pending.merge(arrival.token(), arrival.amount(), BigInteger::add);
    }
    return pending;
  }

  /** @param freeze of the key, where the wallet was frozen by a call */
  static Json view(Directory.Wallet wallet, Optional<KeyFreeze> freeze) {
    var key = freeze.map(asked -> asked.heldAt() == null ? "freezing" : "frozen").orElse("active");
    return Json.object().put("id", Id.WALLET.text(wallet.id())).put("agentId", Id.AGENT.text(wallet.agentId()))
        .put("address", wallet.address().toString()).put("chain", wallet.chain()).put("name", wallet.name())
        .put("status", wallet.frozen() ? "frozen" : "active").put("key", key)
        .put("createdAt", wallet.createdAt().toString()).build();
  }
}
