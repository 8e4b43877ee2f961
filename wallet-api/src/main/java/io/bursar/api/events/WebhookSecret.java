package io.bursar.api.events;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Base64;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The secret of a webhook, and the signature that it makes.
 *
 * @see <a href="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md">Standard Webhooks</a>
 */
final class WebhookSecret {
  static final String PREFIX = "whsec_";
  /** The longest text of a secret. */
  static final int LENGTH_MAX = 128;

  private static final int BYTES = 32;
  private static final int BYTES_MIN = 24;
  private static final int BYTES_MAX = 64;
  private static final SecureRandom RANDOM = new SecureRandom();

  private WebhookSecret() {}

  static byte[] generate() {
    var bytes = new byte[BYTES];
    RANDOM.nextBytes(bytes);
    return bytes;
  }

  static String text(byte[] key) {
    return PREFIX + Base64.getEncoder().encodeToString(key);
  }

  /** Reads a secret; the fault never repeats it. */
  static byte[] parse(String text) {
    try {
      var key = text.startsWith(PREFIX) ? Base64.getDecoder().decode(text.substring(PREFIX.length())) : new byte[0];
      if (key.length >= BYTES_MIN && key.length <= BYTES_MAX) {
        return key;
      }
    } catch (IllegalArgumentException notBase64) {
      // the same fault as all others
    }
    throw new IllegalArgumentException("must be `whsec_` and " + BYTES_MIN + " to " + BYTES_MAX + " bytes in Base64");
  }

  /** What goes into {@code webhook-signature}. */
  static String sign(byte[] key, String id, long timestamp, byte[] body) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.US_ASCII));
      return "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
