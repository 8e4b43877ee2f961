package io.bursar.api.spends;

import java.math.BigInteger;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonReader.Fault;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.spend.Id;
import io.bursar.store.Directory;
import io.bursar.store.Spend;
import jakarta.servlet.http.HttpServletRequest;

/** Reads what an agent asks for into a request that can be decided; all that is wrong with it is named at once. */
@Component
final class SpendBody {
  static final int PURPOSE_MAX = 512;
  static final int REFERENCE_MAX = 128;
  static final int METADATA_BYTES_MAX = 4 * 1024;
  private static final Duration EXPIRY_MAX = Duration.ofDays(30);
  private static final Pattern KEY = Pattern.compile("[\\x20-\\x7e]{1,255}");
  private static final Pattern HOST = Pattern
      .compile("(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*");
  private static final Pattern CATEGORY = Pattern.compile("[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}");
  private static final int REMEMBERED_MAX = 100_000;

  private final Directory directory;
  private final Clock clock;

  // A wallet's owner and chain, and an asset once registered, never change.
  private final ConcurrentHashMap<List<UUID>, Directory.Wallet> wallets = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<List<Object>, Directory.RegisteredAsset> assets = new ConcurrentHashMap<>();

  SpendBody(Directory directory, Clock clock) {
    this.directory = directory;
    this.clock = clock;
  }

  /** The idempotency key of a request's headers, if there is one and no other. */
  static String requireKey(HttpServletRequest request) {
    var keys = Collections.list(request.getHeaders("Idempotency-Key"));
    if (keys.isEmpty()) {
      throw Problem.of(ProblemCode.IDEMPOTENCY_KEY_REQUIRED,
          "send `Idempotency-Key` with a new value for each payment, and the same value when you try one again");
    }
    if (keys.size() > 1 || !KEY.matcher(keys.getFirst()).matches()) {
      throw Problem.of(ProblemCode.INVALID_REQUEST, List.of(new Fault("#Idempotency-Key",
          keys.size() > 1 ? "stands more than once" : "must be 1 to 255 printable ASCII characters")));
    }
    return keys.getFirst();
  }

  /**
   * Reads one request; faults are added to the reader's list.
   *
   * @param key the idempotency key; empty to read it from the member {@code idempotencyKey}
   * @param document the request as it is fingerprinted, without the key
   * @param isRepeat whether a key was used before: then the answer is the first one's, whatever the time is by now
   * @return null if a fault was noted
   * @throws Problem if the wallet is not one of the caller's
   */
  Spend.@Nullable Request read(JsonReader reader, Optional<String> key, Json document, Caller caller,
      Predicate<String> isRepeat) {
    int before = reader.faults().size();
    var idempotencyKey = key.orElseGet(() -> reader.requiredParsed("idempotencyKey", 255, SpendBody::parseKey));
    var walletId = reader.requiredParsed("walletId", 64, text -> parseId(Id.WALLET, text));
    var symbol = reader.requiredParsed("asset", 16, SpendBody::parseSymbol);
    var wallet = walletId == null ? Optional.<Directory.Wallet>empty() : wallet(caller, walletId);
    var asset = wallet.isEmpty() || symbol == null
        ? Optional.<Directory.RegisteredAsset>empty()
        : asset(caller.tenantId(), wallet.get().chain(), symbol);
    var amount = reader.requiredParsed("amount", 160, text -> parseAmount(text, asset));
    var payee = reader.requiredParsed("to", 42, text -> parsePayee(text, wallet, asset));
    var category = reader.parsed("category", 64, text -> parse(CATEGORY, text, "must be letters, digits and ` ._/-`"));
    var host = reader.parsed("host", 253,
        text -> parse(HOST, text.toLowerCase(java.util.Locale.ROOT), "must be a host name such as `api.example.com`"));
    var text = new Spend.Text(reader.text("purpose", PURPOSE_MAX), reader.text("reference", REFERENCE_MAX),
        metadata(reader));
    var expiresAt = reader.parsed("expiresAt", 40, end -> parseExpiry(end,
        () -> idempotencyKey != null && isRepeat.test(idempotencyKey)));
    reader.refuseUnknown();
    if (reader.faults().size() > before) {
      return null;
    }
    if (wallet.isEmpty()) {
      throw Problem.of(ProblemCode.NOT_FOUND, List.of(new Fault(reader.at("walletId"), "there is no such wallet")));
    }
    if (asset.isEmpty()) {
      throw Problem.of(ProblemCode.ASSET_NOT_REGISTERED, List.of(new Fault(reader.at("asset"),
          "`" + symbol + "` is not registered on " + wallet.get().chain() + "; see `GET /v1/assets` for what is")));
    }
    return new Spend.Request(java.util.Objects.requireNonNull(caller.agentId()), wallet.get().id(),
        java.util.Objects.requireNonNull(idempotencyKey), fingerprint((Json.Obj) document), asset.get(),
        java.util.Objects.requireNonNull(amount),
        java.util.Objects.requireNonNull(payee), category, host, text, expiresAt);
  }

  private Optional<Directory.Wallet> wallet(Caller caller, UUID walletId) {
    var key = List.of(caller.tenantId(), walletId);
    var known = wallets.get(key);
    if (known == null) {
      known = directory.wallet(caller.tenantId(), walletId).orElse(null);
      if (known == null) {
        return Optional.empty();
      }
      if (wallets.size() >= REMEMBERED_MAX) {
        wallets.clear();
      }
      wallets.put(key, known);
    }
    return known.agentId().equals(caller.agentId()) ? Optional.of(known) : Optional.empty();
  }

  private Optional<Directory.RegisteredAsset> asset(UUID tenantId, String chain, String symbol) {
    List<Object> key = List.of(tenantId, chain, symbol);
    var known = assets.get(key);
    if (known != null) {
      return Optional.of(known);
    }
    var found = directory.asset(tenantId, chain, symbol);
    found.ifPresent(asset -> assets.put(key, asset));
    return found;
  }

  private static UUID parseId(Id kind, String text) {
    return kind.parse(text).orElseThrow(() -> new IllegalArgumentException("is not an identifier of that kind"));
  }

  private static String parseKey(String text) {
    return parse(KEY, text, "must be 1 to 255 printable ASCII characters");
  }

  private static String parseSymbol(String text) {
    return parse(Asset.SYMBOL, text, "must be the symbol of an asset such as `USDC`");
  }

  private static String parse(Pattern pattern, String text, String message) {
    if (!pattern.matcher(text).matches()) {
      throw new IllegalArgumentException(message);
    }
    return text;
  }

  private static BigInteger parseAmount(String text, Optional<Directory.RegisteredAsset> asset) {
    var units = Amount.parse(text, asset.map(known -> known.asset().decimals()).orElse(Asset.DECIMALS_MAX));
    if (units.signum() == 0) {
      throw new IllegalArgumentException("must be more than zero");
    }
    return units;
  }

  private static Address parsePayee(String text, Optional<Directory.Wallet> wallet,
      Optional<Directory.RegisteredAsset> asset) {
    var payee = Address.parse(text);
    if (payee.isZero()) {
      throw new IllegalArgumentException("is the zero address, from which nothing comes back");
    }
    if (wallet.isPresent() && wallet.get().address().equals(payee)) {
      throw new IllegalArgumentException("is the wallet itself");
    }
    if (asset.isPresent() && asset.get().asset().contract().equals(payee)) {
      throw new IllegalArgumentException("is the contract of the asset, from which nothing comes back");
    }
    return payee;
  }

  private Instant parseExpiry(String text, BooleanSupplier isRepeat) {
    try {
      var at = OffsetDateTime.parse(text).toInstant();
      var now = clock.instant();
      if ((!at.isAfter(now) || at.isAfter(now.plus(EXPIRY_MAX))) && !isRepeat.getAsBoolean()) {
        throw new IllegalArgumentException("must be in the future, by 30 days at most");
      }
      return at.truncatedTo(java.time.temporal.ChronoUnit.MICROS);
    } catch (DateTimeParseException e) {
      throw new IllegalArgumentException("must be a time such as `2026-11-23T09:00:00Z`", e);
    }
  }

  private static Json.@Nullable Obj metadata(JsonReader reader) {
    var value = reader.value("metadata");
    if (value == null) {
      return null;
    }
    if (!(value instanceof Json.Obj object)) {
      reader.fault("metadata", "must be an object");
      return null;
    }
    if (JsonText.canonical(object).length > METADATA_BYTES_MAX) {
      reader.fault("metadata", "must have at most 4 KiB");
      return null;
    }
    return object;
  }

  /** What tells one request from another under the same key: SHA-256 over its canonical JSON, without members that are null. */
  private static byte[] fingerprint(Json.Obj document) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(JsonText.canonical(document.withoutNulls()));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
