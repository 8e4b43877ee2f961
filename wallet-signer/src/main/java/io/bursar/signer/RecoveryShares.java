package io.bursar.signer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Pattern;

import org.bouncycastle.crypto.threshold.ShamirSecretSplitter;
import org.bouncycastle.crypto.threshold.ShamirSplitSecret;
import org.bouncycastle.crypto.threshold.ShamirSplitSecretShare;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * The secret half of a recovery key, cut into shares of which a threshold gives it back and fewer say nothing: Shamir's scheme
 * over GF(256) with the polynomial of AES, by Bouncy Castle, whose arithmetic does not branch on secrets. A share is a text
 * of five lines that can be printed:
 *
 * <pre>
 * bursar recovery share v1
 * key: bursar-recipient-v1:…
 * share: 2 of 5, 3 needed
 * value: (32 bytes in base64url)
 * check: (8 hexadecimal digits of the SHA-256 of the lines above)
 * </pre>
 *
 * @see <a href="https://dl.acm.org/doi/10.1145/359168.359176">A. Shamir, How to share a secret</a>
 */
final class RecoveryShares {
  /** The most shares. */
  static final int MOST_SHARES = 32;

  private static final String HEAD = "bursar recovery share v1";
  private static final Pattern FORM = Pattern.compile(HEAD + "\nkey: (?<key>[\\x21-\\x7e]{1,100})\n"
      + "share: (?<index>[1-9][0-9]?) of (?<count>[1-9][0-9]?), (?<threshold>[1-9][0-9]?) needed\n"
      + "value: (?<value>[A-Za-z0-9_-]{43})\ncheck: (?<check>[0-9a-f]{8})\n");

  /**
   * One share.
   *
   * @param recoveryKey the public half of what was cut
   * @param index 1 to {@code count}
   * @param threshold how many give the secret back, 2 to {@code count}
   */
  record Share(Bytes recoveryKey, int index, int count, int threshold, byte[] value) {
    Share {
      bounds(threshold, count);
      if (index < 1 || index > count || value.length != RecipientKey.BYTES) {
        throw new IllegalArgumentException("a share has 32 bytes and a number from 1 to " + count);
      }
    }

    /** As it is printed. */
    String text() {
      var lines = HEAD + "\nkey: " + RecipientKey.text(recoveryKey) + "\nshare: " + index + " of " + count + ", "
          + threshold + " needed\nvalue: " + Base64.getUrlEncoder().withoutPadding().encodeToString(value) + "\n";
      return lines + "check: " + check(lines) + "\n";
    }

    /** Names the share and shows nothing of its value. */
    @Override
    public String toString() {
      return "share " + index + " of " + count;
    }
  }

  private RecoveryShares() {}

  /** Cuts the secret half of a key. */
  static List<Share> split(RecipientKey key, int threshold, int count) {
    bounds(threshold, count);
    var secret = key.secret();
    try {
      var values = ShamirSecretSplitter
          .getInstance(ShamirSecretSplitter.Algorithm.AES, RecipientKey.BYTES, new SecureRandom())
          .resplit(secret, threshold, count).getSecretShares();
      var shares = new ArrayList<Share>();
      for (int i = 0; i < count; i++) {
        shares.add(new Share(key.publicKey(), i + 1, count, threshold, values[i].getEncoded()));
      }
      return shares;
    } catch (IOException impossible) {
      throw new IllegalStateException("a share is bytes in memory", impossible);
    } finally {
      Arrays.fill(secret, (byte) 0);
    }
  }

  /**
   * Puts the secret together, and sees that it is that of the public half.
   *
   * @throws IllegalArgumentException if there are too few shares, or they do not belong together
   */
  static RecipientKey combine(List<Share> shares) {
    if (shares.isEmpty()) {
      throw new IllegalArgumentException("there are no shares");
    }
    var first = shares.getFirst();
    var indices = new HashSet<Integer>();
    for (var share : shares) {
      if (!share.recoveryKey().equals(first.recoveryKey()) || share.threshold() != first.threshold()
          || share.count() != first.count()) {
        throw new IllegalArgumentException("the shares belong to different recovery keys");
      }
      if (!indices.add(share.index())) {
        throw new IllegalArgumentException("share " + share.index() + " is given twice");
      }
    }
    if (shares.size() < first.threshold()) {
      throw new IllegalArgumentException("there are " + shares.size() + " shares; it takes " + first.threshold());
    }
    var secret = interpolate(shares.subList(0, first.threshold()));
    var key = RecipientKey.ofSecret(secret);
    if (!key.publicKey().equals(first.recoveryKey())) {
      key.close();
      throw new IllegalArgumentException("the shares do not give the recovery key: one of them was altered");
    }
    return key;
  }

  /** The value at zero of the polynomials that go through the shares. */
  static byte[] interpolate(List<Share> shares) {
    try {
      return ShamirSplitSecret.getInstance(ShamirSecretSplitter.Algorithm.AES, shares.stream()
          .map(share -> new ShamirSplitSecretShare(share.value(), share.index()))
          .toArray(ShamirSplitSecretShare[]::new))
          .getSecret();
    } catch (IOException impossible) {
      throw new IllegalStateException("a share is bytes in memory", impossible);
    }
  }

  /**
   * Reads a printed share.
   *
   * @throws IllegalArgumentException if the text is none, or a character of it was mistaken
   */
  static Share parse(String text) {
    var normal = text.strip().replace("\r", "") + "\n";
    var form = FORM.matcher(normal);
    if (!form.matches()) {
      throw new IllegalArgumentException("is no recovery share of version 1");
    }
    if (!check(normal.substring(0, form.start("check") - "check: ".length())).equals(form.group("check"))) {
      throw new IllegalArgumentException("is a recovery share with a mistake in it: its check does not fit");
    }
    return new Share(RecipientKey.parse(form.group("key")), Integer.parseInt(form.group("index")),
        Integer.parseInt(form.group("count")), Integer.parseInt(form.group("threshold")),
        Base64.getUrlDecoder().decode(form.group("value")));
  }

  private static void bounds(int threshold, int count) {
    if (threshold < 2 || threshold > count || count > MOST_SHARES) {
      throw new IllegalArgumentException(
          "there are 2 to " + MOST_SHARES + " shares, of which 2 or more are needed, not "
              + threshold + " of " + count);
    }
  }

  private static String check(String lines) {
    return Digest32.sha256(lines.getBytes(StandardCharsets.US_ASCII)).toString().substring(0, 8);
  }
}
