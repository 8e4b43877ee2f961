package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import io.bursar.approval.OrderText;
import io.bursar.permit.Bytes;
import io.bursar.permit.SignerRequest.Obey;

/**
 * What orders can have done with private keys: {@code import} takes the keys of a bundle in, {@code export} gives one out,
 * {@code recovery} says what backups are sealed to. Each sees first whether it can be done, and then uses the order up.
 */
final class KeyOrders {
  private static final Logger LOG = System.getLogger("io.bursar.signer");
  private static final String ALL = "all";

  private final SignerHome home;
  private final KekRing keks;
  private final Keystore keystore;
  private final Quorum quorum;

  KeyOrders(SignerHome home, KekRing keks, Keystore keystore, Quorum quorum) {
    this.home = home;
    this.keks = keks;
    this.keystore = keystore;
    this.quorum = quorum;
  }

  /** The kinds of orders, by name. */
  Map<String, Orders.Deed> deeds() {
    return Map.of("import", this::importKeys, "export", this::exportKey, "recovery", this::setRecoveryKey);
  }

  private Optional<String> importKeys(OrderText text, Obey request, Instant now) throws IOException {
    var content = request.content().toByteArray();
    try (var key = ImportKeyFile.read(home.importKey()).open(keks);
        var bundle = KeyBundle.open(content, key, keystore.curve())) {
      var known = keystore.addresses();
      for (var one : bundle.keys()) {
        if (keystore.refusal(one, known) instanceof Keystore.Import.Refused(var reason)) {
          return Optional.of(reason);
        }
      }
      var refused = quorum.use(request.order(), "import", ALL, content, now);
      if (refused.isPresent()) {
        return refused;
      }
      for (var one : bundle.keys()) {
        if (keystore.put(one, known) instanceof Keystore.Import.Refused(var reason)) {
          return Optional.of(reason + "; the keys before it in the bundle are in");
        }
        LOG.log(Level.INFO, "imported key=" + one.keyId() + " tenant=" + one.tenantId() + " address=" + one.address()
            + " order=" + text.number());
      }
      keystore.sync();
      return Optional.empty();
    } catch (SealedFile.UnreadableException unreadable) {
      return Optional.of("the bundle " + unreadable.getMessage());
    } catch (Keystore.UnreadableKeyException damaged) {
      throw new IOException(damaged.getMessage(), damaged);
    }
  }

  private Optional<String> exportKey(OrderText text, Obey request, Instant now) throws IOException {
    var content = request.content().toByteArray();
    Bytes recipient;
    try {
      recipient = RecipientKey.parse(firstLine(content));
    } catch (IllegalArgumentException malformed) {
      return Optional.of(String.valueOf(malformed.getMessage()));
    }
    try {
      var entry = find(text.subject());
      if (entry.isEmpty()) {
        return Optional.of("there is no key `" + text.subject() + "`");
      }
      var refused = quorum.use(request.order(), "export", text.subject(), content, now);
      if (refused.isPresent()) {
        return refused;
      }
      var key = entry.get();
      try (var secret = keystore.unseal(key)) {
        if (!keystore.curve().addressOf(secret).equals(Optional.of(key.address()))) {
          throw new IOException("key `" + key.keyId() + "` is not that of its address");
        }
        var sealed = new KeyBundle(List.of(new KeyBundle.Key(key.tenantId(), key.keyId(), key.address(), secret)))
            .seal(recipient);
        SafeFiles.makeDirectory(home.exports());
        var file = home.exports().resolve(key.keyId() + "-" + text.number() + ".keys");
        SafeFiles.create(file, sealed);
        LOG.log(Level.WARNING, "exported key=" + key.keyId() + " tenant=" + key.tenantId() + " address="
            + key.address() + " order=" + text.number() + " to=" + RecipientKey.fingerprint(recipient).replace(" ", "")
            + " file=" + file);
      }
      return Optional.empty();
    } catch (Keystore.UnreadableKeyException damaged) {
      throw new IOException(damaged.getMessage(), damaged);
    }
  }

  private Optional<Keystore.Entry> find(String subject) throws IOException, Keystore.UnreadableKeyException {
    try {
      var keyId = UUID.fromString(subject);
      return keyId.toString().equals(subject) ? keystore.find(keyId) : Optional.empty();
    } catch (IllegalArgumentException noId) {
      return Optional.empty();
    }
  }

  private Optional<String> setRecoveryKey(OrderText text, Obey request, Instant now) throws IOException {
    var content = request.content().toByteArray();
    Bytes key;
    try {
      key = RecipientKey.parse(firstLine(content));
    } catch (IllegalArgumentException malformed) {
      return Optional.of(String.valueOf(malformed.getMessage()));
    }
    var refused = quorum.use(request.order(), "recovery", ALL, content, now);
    if (refused.isEmpty()) {
      SafeFiles.replace(home.recoveryKey(), (RecipientKey.text(key) + "\n").getBytes(StandardCharsets.US_ASCII));
      LOG.log(Level.INFO, "backups are sealed to key=" + RecipientKey.fingerprint(key).replace(" ", "") + " order="
          + text.number());
    }
    return refused;
  }

  private static String firstLine(byte[] content) {
    return new String(content, StandardCharsets.US_ASCII).lines().findFirst().orElse("");
  }
}
