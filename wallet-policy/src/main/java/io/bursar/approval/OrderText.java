package io.bursar.approval;

import java.time.DateTimeException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.regex.Pattern;

import io.bursar.permit.Digest32;

/**
 * What the holders of root keys sign to have something done by the signer itself, which takes nobody else's word for it: learn
 * who approves, raise a ceiling, lift a freeze, give out a key.
 *
 * <p>ASCII, as {@link ApprovalText}, in this order:
 *
 * <pre>
 * bursar signer order v1
 * signer: wallets.example.com/log
 * number: 7
 * order: approvers
 * subject: ten_0199a1c27a2c70e88000000000000001
 * content: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 * expires: 2026-11-23T13:00:00Z
 * </pre>
 *
 * @param signer what the signer's logs are called, so that an order to one means nothing to another
 * @param number above that of every order that was obeyed before, so that none is obeyed twice
 * @param order what is to be done, such as {@code approvers}
 * @param subject to what: an identifier, or {@code all}
 * @param content SHA-256 of the bytes that say how, which travel beside the order; of no bytes where there is nothing to say
 */
public record OrderText(String signer, long number, String order, String subject, Digest32 content,
    Instant expiresAt) implements Signable {
  /** The first line: what the text is for, and its version. */
  public static final String HEAD = "bursar signer order v1";
  /** The longest text, in characters. */
  public static final int LENGTH_MAX = 1_024;

  private static final Pattern FORM = Pattern.compile(HEAD + "\nsigner: (?<signer>[\\x21-\\x7e]{1,255})\n"
      + "number: (?<number>[1-9][0-9]{0,17})\norder: (?<order>[a-z-]{1,32})\nsubject: (?<subject>[a-z0-9_-]{1,64})\n"
      + "content: sha256:(?<content>[0-9a-f]{64})\nexpires: (?<expires>[0-9TZ:.-]{20,30})\n");

  /** Who signs an order is for it; who is against it does not sign. */
  @Override
  public Verdict verdict() {
    return Verdict.APPROVE;
  }

  /** The text. */
  @Override
  public String toString() {
    return HEAD + "\nsigner: " + signer + "\nnumber: " + number + "\norder: " + order + "\nsubject: " + subject
        + "\ncontent: sha256:" + content + "\nexpires: " + expiresAt + "\n";
  }

  /**
   * Reads a text back.
   *
   * @throws IllegalArgumentException if it is not exactly one that {@link #toString} writes
   */
  public static OrderText parse(String text) {
    var form = FORM.matcher(text);
    if (text.length() > LENGTH_MAX || !form.matches()) {
      throw new IllegalArgumentException("the text is not in the form of an order to the signer");
    }
    try {
      var read = new OrderText(form.group("signer"), Long.parseLong(form.group("number")), form.group("order"),
          form.group("subject"), Digest32.of(HexFormat.of().parseHex(form.group("content"))),
          Instant.parse(form.group("expires")));
      if (read.toString().equals(text)) {
        return read;
      }
    } catch (DateTimeException notATime) {
      // Said below.
    }
    throw new IllegalArgumentException("the text is not in its one form");
  }
}
