package io.bursar.approval;

import java.nio.charset.StandardCharsets;

import io.bursar.permit.Digest32;

/** A text that an approver signs, in its one form. */
public sealed interface Signable permits ApprovalText, ChangeText, OrderText {
  Verdict verdict();

  /** The bytes that are signed: those of the text itself, which is ASCII. */
  default byte[] bytes() {
    return toString().getBytes(StandardCharsets.US_ASCII);
  }

  /** SHA-256 of the bytes; the challenge of a passkey. */
  default Digest32 hash() {
    return Digest32.sha256(bytes());
  }

  /**
   * Reads a text of any kind.
   *
   * @throws IllegalArgumentException if it is of none, or not in its one form
   */
  static Signable parse(String text) {
    return text.startsWith(ChangeText.HEAD + "\n")
        ? ChangeText.parse(text)
        : text.startsWith(OrderText.HEAD + "\n") ? OrderText.parse(text) : ApprovalText.parse(text);
  }
}
