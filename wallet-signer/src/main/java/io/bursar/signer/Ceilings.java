package io.bursar.signer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Policy;
import io.bursar.policy.Policy.InForce;
import io.bursar.policy.Policy.Target;
import io.bursar.policy.PolicyJson;
import io.bursar.spend.Id;

/**
 * What the signer lets through whatever the API says, in the language of policies:
 *
 * <pre>
 * {"assets": [{"chain": "eip155:8453", "contract": "0x…", "symbol": "USDC", "decimals": 6, "currency": "USD"}],
 *  "key":    {a policy, for each key},
 *  "tenant": {a policy, for all keys of a tenant together; may be left out},
 *  "keys":   {"wal_…": {a policy, for this key instead}, …; may be left out}}
 * </pre>
 *
 * An asset that is not listed is signed for by nobody. The policies' {@code approval} rules are the lines above which people must
 * have signed, whatever the API decided.
 */
final class Ceilings {
  /** The longest document, in bytes. */
  static final int MOST_BYTES = 60_000;
  /** None: for development. */
  static final Ceilings NONE = new Ceilings();

  private static final int MOST_ASSETS = 200;
  private static final int MOST_KEYS = 1_000;
  private static final UUID KEYS = new UUID(0, 1);
  private static final UUID TENANTS = new UUID(0, 2);

  private record Token(long chainId, Address contract) {}

  private final Map<Token, Asset> assets = new HashMap<>();
  private final Map<UUID, InForce> own = new HashMap<>();
  private @Nullable InForce key;
  private @Nullable InForce tenant;

  private Ceilings() {}

  /**
   * Reads a document.
   *
   * @throws IllegalArgumentException with what is wrong with it
   */
  static Ceilings parse(byte[] bytes) {
    var faults = new ArrayList<JsonReader.Fault>();
    var ceilings = new Ceilings();
    try {
      var document = JsonReader.of(JsonText.parse(bytes), "", faults);
      ceilings.readAssets(document, faults);
      ceilings.key = document.present("key") ? policy(document, "key", KEYS, Target.WALLET) : null;
      ceilings.tenant = document.has("tenant") ? policy(document, "tenant", TENANTS, Target.TENANT) : null;
      ceilings.readKeys(document);
      document.refuseUnknown();
    } catch (JsonText.Malformed malformed) {
      throw new IllegalArgumentException("ceilings are strict JSON", malformed);
    }
    if (!faults.isEmpty()) {
      throw new IllegalArgumentException("these are no ceilings: " + faults.stream()
          .map(fault -> "`" + fault.pointer() + "` " + fault.message()).limit(10).toList());
    }
    return ceilings;
  }

  /**
   * Takes the first ones.
   *
   * @throws IOException if there are others: they can only be replaced by an order
   */
  static void install(Path file, byte[] document) throws IOException {
    try {
      var _ = parse(document);
    } catch (IllegalArgumentException malformed) {
      throw new IOException(malformed.getMessage(), malformed);
    }
    if (!Files.exists(file)) {
      SafeFiles.create(file, document);
    } else if (!Arrays.equals(SafeFiles.read(file, MOST_BYTES), document)) {
      throw new IOException(
          "this home has other ceilings; only an order `ceilings` of the root keys replaces them, or, in a home "
              + "without a root set, the removal of `" + file + "` while the signer is stopped");
    }
  }

  private void readAssets(JsonReader document, List<JsonReader.Fault> faults) {
    var given = document.present("assets") ? document.array("assets", MOST_ASSETS) : null;
    for (int i = 0; given != null && i < given.size(); i++) {
      var asset = JsonReader.of(given.get(i), "/assets/" + i, faults);
      var chain = asset.requiredText("chain", 32);
      var contract = asset.requiredParsed("contract", 42, Address::parse);
      var symbol = asset.requiredText("symbol", 16);
      var decimals = asset.present("decimals") ? asset.number("decimals", 0, Asset.DECIMALS_MAX) : null;
      var currency = asset.text("currency", 8);
      asset.refuseUnknown();
      if (chain != null && contract != null && symbol != null && decimals != null) {
        try {
          var read = new Asset(chain, contract, symbol, decimals.intValue(), currency);
          assets.put(new Token(read.chainId(), contract), read);
        } catch (IllegalArgumentException malformed) {
          faults.add(new JsonReader.Fault("/assets/" + i, String.valueOf(malformed.getMessage())));
        }
      }
    }
  }

  private void readKeys(JsonReader document) {
    var keys = document.object("keys");
    if (keys == null || !(document.value("keys") instanceof Json.Obj named)) {
      return;
    }
    if (named.size() > MOST_KEYS) {
      document.fault("keys", "are " + MOST_KEYS + " at most");
      return;
    }
    for (var name : named.members().keySet()) {
      var id = Id.WALLET.parse(name);
      var policy = policy(keys, name, id.orElse(KEYS), Target.WALLET);
      if (id.isEmpty()) {
        keys.fault(name, "is not the identifier of a wallet");
      } else if (policy != null) {
        own.put(id.get(), policy);
      }
    }
  }

  private static @Nullable InForce policy(JsonReader document, String name, UUID id, Target target) {
    var value = document.value(name);
    try {
      var policy = value == null ? null : PolicyJson.load(value);
      if (policy != null && policy.mode() == Policy.Mode.ENFORCE) {
        return new InForce(id, policy, target);
      }
      document.fault(name, "must be a policy that has a say");
    } catch (IllegalArgumentException malformed) {
      document.fault(name, String.valueOf(malformed.getMessage()));
    }
    return null;
  }

  /** Whether there are any. */
  boolean areSet() {
    return key != null;
  }

  /** A listed asset. */
  Optional<Asset> asset(long chainId, Address contract) {
    return Optional.ofNullable(assets.get(new Token(chainId, contract)));
  }

  /** What holds for a key. */
  List<InForce> of(UUID keyId) {
    var forKey = own.getOrDefault(keyId, key);
    return forKey == null ? List.of() : tenant == null ? List.of(forKey) : List.of(forKey, tenant);
  }

  /** Every policy there is. */
  List<InForce> all() {
    var all = new ArrayList<>(own.values());
    if (key != null) {
      all.add(key);
    }
    if (tenant != null) {
      all.add(tenant);
    }
    return all;
  }
}
