package io.bursar.api;

import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import io.bursar.api.chain.ChainSettings;
import io.bursar.api.chain.Confirmation;
import io.bursar.api.chain.FeePolicy;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import io.bursar.money.Asset;

/**
 * The file that names several chains. It holds endpoints, and with them providers' keys: keep it from others' eyes.
 *
 * <pre>
 * {"chains": [{"chain": "eip155:8453", "endpoints": ["https://…", "https://…"], "confirmations": "finalized", "maxFeeGwei": 500}]}
 * </pre>
 *
 * {@code confirmations} is a number of blocks as text, or {@code finalized}; 12 unless given. {@code maxFeeGwei} caps what is offered for a
 * unit of gas, {@code maxPriorityFeeGwei} the producer's part of it.
 */
final class ChainsFile {
  private static final long BYTES_MAX = 1 << 20;
  private static final int CHAINS_MAX = 64;
  private static final int TEXT_MAX = 2048;
  private static final long GWEI_MAX = 1_000_000;
  private static final BigInteger GWEI = BigInteger.TEN.pow(9);

  private ChainsFile() {}

  /** The chains of the file; what is wrong with it is added to the faults. */
  static List<ChainSettings> read(Path file, List<String> faults) {
    try {
      if (Files.size(file) > BYTES_MAX) {
        faults.add("the file of `BURSAR_CHAINS` has more than " + BYTES_MAX + " bytes");
        return List.of();
      }
      return read(JsonText.parse(Files.readAllBytes(file)), faults);
    } catch (IOException e) {
      faults.add("the file of `BURSAR_CHAINS` cannot be read");
    } catch (JsonText.Malformed e) {
      faults.add("the file of `BURSAR_CHAINS` is not JSON: " + e.getMessage());
    }
    return List.of();
  }

  private static List<ChainSettings> read(Json json, List<String> faults) {
    var found = new ArrayList<JsonReader.Fault>();
    var root = JsonReader.of(json, "", found);
    var chains = new ArrayList<ChainSettings>();
    var items = root.array("chains", CHAINS_MAX);
    root.refuseUnknown();
    for (int i = 0; items != null && i < items.size(); i++) {
      chain(JsonReader.of(items.get(i), "/chains/" + i, found), chains);
    }
    found.forEach(fault -> faults.add("the file of `BURSAR_CHAINS`: " + fault.pointer() + " " + fault.message()));
    return chains;
  }

  private static void chain(JsonReader in, List<ChainSettings> chains) {
    var name = in.requiredParsed("chain", TEXT_MAX, ChainsFile::chainName);
    var endpoints = in.texts("endpoints", ChainSettings.ENDPOINTS_MAX, TEXT_MAX, ChainsFile::endpoint);
    var confirmation = in.parsed("confirmations", TEXT_MAX, Confirmation::parse);
    var maxFee = in.number("maxFeeGwei", 1, GWEI_MAX);
    var maxPriorityFee = in.number("maxPriorityFeeGwei", 1, GWEI_MAX);
    in.refuseUnknown();
    if (in.present("endpoints") && endpoints != null && !endpoints.isEmpty() && name != null) {
      var cap = maxFee == null ? FeePolicy.DEFAULT.maxFeeCap() : GWEI.multiply(BigInteger.valueOf(maxFee));
      var priorityCap = maxPriorityFee == null
          ? FeePolicy.DEFAULT.priorityFeeCap().min(cap)
          : GWEI.multiply(BigInteger.valueOf(maxPriorityFee));
      try {
        chains.add(new ChainSettings(name, endpoints,
            confirmation == null ? new Confirmation.Depth(12) : confirmation,
            new FeePolicy(cap, priorityCap, FeePolicy.DEFAULT.priorityFeeFloor(), FeePolicy.DEFAULT.gasLimitCap())));
      } catch (IllegalArgumentException e) {
        in.fault("maxPriorityFeeGwei", String.valueOf(e.getMessage()));
      }
    }
  }

  private static String chainName(String text) {
    if (!Asset.CHAIN.matcher(text).matches()) {
      throw new IllegalArgumentException("must be a CAIP-2 name such as `eip155:8453`");
    }
    return text;
  }

  /** A node's address; the message does not repeat the text, because it may hold a key. */
  static URI endpoint(String text) {
    try {
      var uri = new URI(text.strip());
      if (uri.getHost() != null && List.of("http", "https").contains(uri.getScheme())) {
        return uri;
      }
    } catch (URISyntaxException e) {
      // Its message holds the text.
    }
    throw new IllegalArgumentException("must name nodes by `http://` or `https://` URLs");
  }
}
