package io.bursar.approval;

import java.time.DateTimeException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.UUID;
import java.util.regex.Pattern;

import io.bursar.permit.Digest32;
import io.bursar.spend.Id;

/**
 * What an approver signs about a change of the rules: one verdict on one exact change, from exactly one state to another.
 *
 * <p>ASCII, as {@link ApprovalText}, in this order:
 *
 * <pre>
 * bursar change approval v1
 * verdict: approve
 * tenant: ten_0199a1c27a2c70e88000000000000001
 * change: chg_0199a1c2801f7a04800000000000a1b2
 * kind: attach
 * content: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 * requested-by: key_0199a1c27a2c73a88000000000000002
 * group: finance threshold 2 revision 1
 * expires: 2026-11-23T13:00:00.123456Z
 * </pre>
 *
 * The content is the canonical JSON (RFC 8785) of an object with {@code change}, {@code before} and {@code after}.
 *
 * @param requestedBy the API key that asks for it, or {@code operator}
 */
public record ChangeText(Verdict verdict, UUID tenantId, UUID changeId, String kind, Digest32 content,
    String requestedBy, ApprovalText.GroupLine group, Instant expiresAt) implements Signable {
  /** The first line: what the text is for, and its version. */
  public static final String HEAD = "bursar change approval v1";

  private static final Pattern FORM = Pattern.compile(HEAD + "\n"
      + "verdict: (?<verdict>approve|reject)\ntenant: (?<tenant>ten_[0-9a-f]{32})\nchange: (?<change>chg_[0-9a-f]{32})\n"
      + "kind: (?<kind>[a-z-]{1,32})\ncontent: sha256:(?<content>[0-9a-f]{64})\nrequested-by: (?<by>[a-z0-9_]{1,64})\n"
      + "group: (?<group>[a-z0-9][a-z0-9_-]{0,63}) threshold (?<threshold>[1-9][0-9]{0,8}) revision (?<revision>[1-9][0-9]{0,8})\n"
      + "expires: (?<expires>[0-9TZ:.-]{20,30})\n");
  private static final int LENGTH_MAX = 1_024;

  /** The same change, with this verdict. */
  public ChangeText with(Verdict other) {
    return new ChangeText(other, tenantId, changeId, kind, content, requestedBy, group, expiresAt);
  }

  /** The text. */
  @Override
  public String toString() {
    return HEAD + "\nverdict: " + verdict.text() + "\ntenant: " + Id.TENANT.text(tenantId) + "\nchange: "
        + Id.CHANGE.text(changeId) + "\nkind: " + kind + "\ncontent: sha256:" + content + "\nrequested-by: "
        + requestedBy + "\ngroup: " + group + "\nexpires: " + expiresAt + "\n";
  }

  /**
   * Reads a text back.
   *
   * @throws IllegalArgumentException if it is not exactly one that {@link #toString} writes
   */
  public static ChangeText parse(String text) {
    var form = FORM.matcher(text);
    if (text.length() > LENGTH_MAX || !form.matches()) {
      throw new IllegalArgumentException("the text is not in the form of a change's text");
    }
    try {
      var read = new ChangeText(Verdict.parse(form.group("verdict")),
          Id.TENANT.parse(form.group("tenant")).orElseThrow(), Id.CHANGE.parse(form.group("change")).orElseThrow(),
          form.group("kind"), Digest32.of(HexFormat.of().parseHex(form.group("content"))), form.group("by"),
          new ApprovalText.GroupLine(form.group("group"), Integer.parseInt(form.group("threshold")),
              Integer.parseInt(form.group("revision"))),
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
