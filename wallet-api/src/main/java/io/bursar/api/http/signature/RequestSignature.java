package io.bursar.api.http.signature;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import io.bursar.approval.ApproverKey;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;

/**
 * The one signature of a request, as its headers {@code Signature-Input} and {@code Signature} have it. Nothing of it is believed
 * before {@link #verified}.
 *
 * @param covered the components that it covers, in their order
 * @param input its inner list with parameters, as it was sent: the last line of what is signed
 * @param times the parameters {@code created} and {@code expires}, in seconds since 1970
 * @param texts the parameters that are texts
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9421">RFC 9421, HTTP Message Signatures</a>
 */
public record RequestSignature(List<String> covered, String input, Map<String, Long> times, Map<String, String> texts,
    Bytes signature) {
  /** How old a signature may be. */
  public static final Duration PAST = Duration.ofSeconds(60);
  /** How far the client's clock may be ahead. */
  public static final Duration FUTURE = Duration.ofSeconds(5);

  public static final String INPUT_HEADER = "Signature-Input";
  public static final String SIGNATURE_HEADER = "Signature";

  static final String NEEDED = "`@method`; `@path` and `@query`, or `@target-uri`, or `@request-target`;"
      + " `content-digest` if there is a body; `idempotency-key` if there is one";

  private static final int INPUT_LENGTH_MAX = 2_048;
  private static final int SIGNATURE_LENGTH_MAX = 256;
  private static final int COVERED_MAX = 32;
  private static final int TEXT_LENGTH_MAX = 255;
  private static final int SIGNATURE_BYTES = 64;
  private static final int SHOWN_MAX = 2_000;

  /** TLS ends before us, at a proxy that may or may not say so. Either scheme is believed: it is the client's to choose. */
  private static final List<String> SCHEMES = List.of("https", "http");

  /**
   * Reads the headers.
   *
   * @throws Refused if there is none, more than one, or one that is not written as it must be
   */
  public static RequestSignature read(List<String> inputLines, List<String> signatureLines) throws Refused {
    if (inputLines.isEmpty() || signatureLines.isEmpty()) {
      throw new Refused(Refused.Why.MISSING, "this key is bound to a key pair: sign the request by RFC 9421 and send `"
          + INPUT_HEADER + "` and `" + SIGNATURE_HEADER + "`, over " + NEEDED + "; with `created` and `keyid`");
    }
    var input = FieldReader.once(INPUT_HEADER, inputLines, INPUT_LENGTH_MAX);
    var label = input.key();
    input.expect('=');
    int from = input.at();
    var covered = covered(input);
    var times = new HashMap<String, Long>();
    var texts = new HashMap<String, String>();
    while (input.skip(';')) {
      parameter(input, times, texts);
    }
    var signed = input.since(from);
    end(input);
    return new RequestSignature(covered, signed, Map.copyOf(times), Map.copyOf(texts),
        signature(label, signatureLines));
  }

  private static List<String> covered(FieldReader input) throws Refused {
    input.expect('(');
    var covered = new ArrayList<String>();
    while (!input.skip(')')) {
      if (!covered.isEmpty()) {
        input.expect(' ');
      }
      var component = input.string();
      if (input.isAt(';')) {
        throw Refused.invalid("the component `" + component + "` has parameters; cover whole components only");
      }
      if (!component.matches("@?[a-z0-9!#$%&'*+.^_`|~-]+")) {
        throw Refused.invalid("a component is the name of a header in lower case, or begins with `@`");
      }
      if (covered.contains(component)) {
        throw Refused.invalid("`" + component + "` is covered twice");
      }
      covered.add(component);
      if (covered.size() > COVERED_MAX) {
        throw Refused.invalid("a signature may cover " + COVERED_MAX + " components, and no more");
      }
    }
    return List.copyOf(covered);
  }

  private static void parameter(FieldReader input, Map<String, Long> times, Map<String, String> texts) throws Refused {
    var name = input.key();
    if (times.containsKey(name) || texts.containsKey(name)) {
      throw Refused.invalid("the parameter `" + name + "` is given twice");
    }
    switch (name) {
      case "created", "expires" -> {
        input.expect('=');
        times.put(name, input.integer());
      }
      case "keyid", "alg", "nonce", "tag" -> {
        input.expect('=');
        var text = input.string();
        if (text.length() > TEXT_LENGTH_MAX) {
          throw Refused.invalid("the parameter `" + name + "` may have " + TEXT_LENGTH_MAX + " characters");
        }
        texts.put(name, text);
      }
      default -> throw Refused.invalid("there is no parameter `" + name
          + "`: a signature has `created`, `keyid`, and, if wanted, `alg`, `expires`, `nonce` and `tag`");
    }
  }

  private static Bytes signature(String label, List<String> lines) throws Refused {
    var reader = FieldReader.once(SIGNATURE_HEADER, lines, SIGNATURE_LENGTH_MAX);
    if (!reader.key().equals(label)) {
      throw Refused.invalid("`" + SIGNATURE_HEADER + "` must have the same label as `" + INPUT_HEADER + "`");
    }
    reader.expect('=');
    var bytes = reader.bytes();
    end(reader);
    if (bytes.length != SIGNATURE_BYTES) {
      throw Refused.invalid("a signature has " + SIGNATURE_BYTES + " bytes, not " + bytes.length
          + "; for P-256 these are r and s of 32 bytes each, and not DER");
    }
    return Bytes.of(bytes);
  }

  private static void end(FieldReader reader) throws Refused {
    if (reader.isAt(',') || reader.isAt(' ')) {
      throw Refused.invalid("send one signature, not several");
    }
    if (!reader.isAtEnd()) {
      throw reader.malformed("its end");
    }
  }

  /** Whether the signature is over this component too. */
  public boolean covers(String component) {
    return covered.contains(component);
  }

  /**
   * Believes the signature, or refuses it. The body is not looked at: hold it against {@link ContentDigest}, which is covered if it
   * is there.
   *
   * @param keyId the identifier of the API key, by which the signature must name its key
   * @return the SHA-256 of what was signed, which names this one request
   * @throws Refused if it does not cover what it must, is of another key or time, or of something else
   */
  public Digest32 verified(RequestParts request, ApproverKey key, String keyId, Instant now) throws Refused {
    mustBeOf(key, keyId);
    mustCoverEnough(request);
    mustBeOfNow(now);
    boolean eitherScheme = covers("@target-uri") || covers("@authority") || covers("@scheme");
    for (var scheme : eitherScheme ? SCHEMES : List.of("https")) {
      var base = base(request, scheme).getBytes(StandardCharsets.US_ASCII);
      if (key.verifies(base, signature)) {
        return Digest32.sha256(base);
      }
    }
    throw Refused.invalid("the signature is not this key's over what came. " + shown(request));
  }

  private void mustBeOf(ApproverKey key, String keyId) throws Refused {
    if (!keyId.equals(texts.get("keyid"))) {
      throw Refused.invalid("`keyid` must be `" + keyId + "`, the identifier of the API key");
    }
    var algorithm = switch (key.curve()) {
      case ED25519 -> "ed25519";
      case P256 -> "ecdsa-p256-sha256";
    };
    if (!algorithm.equals(texts.getOrDefault("alg", algorithm))) {
      throw Refused.invalid("`alg` must be `" + algorithm + "`, by the public key that was registered");
    }
  }

  private void mustCoverEnough(RequestParts request) throws Refused {
    boolean target = covers("@target-uri") || covers("@request-target") || (covers("@path") && covers("@query"));
    if (!covers("@method") || !target) {
      throw Refused.invalid("the signature must cover " + NEEDED);
    }
    for (var header : List.of("idempotency-key", "content-digest")) {
      if (!covers(header) && !request.headers().apply(header).isEmpty()) {
        throw Refused.invalid("the signature must cover `" + header + "`, which the request has");
      }
    }
  }

  private void mustBeOfNow(Instant now) throws Refused {
    var created = times.get("created");
    if (created == null) {
      throw Refused.invalid("the signature must have the parameter `created`: seconds since 1970");
    }
    var at = Instant.ofEpochSecond(created);
    if (at.isBefore(now.minus(PAST)) || at.isAfter(now.plus(FUTURE))) {
      throw new Refused(Refused.Why.STALE, "the signature was created at " + created + ", and here it is "
          + now.getEpochSecond() + ": it is good from " + FUTURE.toSeconds() + " s before to " + PAST.toSeconds()
          + " s after; sign anew, and look at the clock");
    }
    var expires = times.get("expires");
    if (expires != null && !now.isBefore(Instant.ofEpochSecond(expires))) {
      throw new Refused(Refused.Why.STALE, "the signature expired at " + expires + ", and here it is "
          + now.getEpochSecond() + "; sign anew");
    }
  }

  /** What is signed: a line for each component, and a last one that says which they are. */
  String base(RequestParts request, String scheme) throws Refused {
    var base = new StringBuilder();
    for (var component : covered) {
      base.append('"').append(component).append("\": ").append(request.value(component, scheme)).append('\n');
    }
    return base.append("\"@signature-params\": ").append(input).toString();
  }

  /** What should have been signed, for comparison; not if a secret is part of it. */
  private String shown(RequestParts request) throws Refused {
    if (covers("authorization") || covers("cookie")) {
      return "Sign the lines of what it covers, and the last line `\"@signature-params\": " + input + "`";
    }
    var base = base(request, SCHEMES.getFirst());
    return "Sign exactly this text, without a line feed at its end:\n"
        + (base.length() <= SHOWN_MAX ? base : base.substring(0, SHOWN_MAX) + "…");
  }
}
