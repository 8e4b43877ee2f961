package io.bursar.api.http.signature;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

import org.bouncycastle.math.ec.rfc8032.Ed25519;
import org.junit.jupiter.api.Test;

import io.bursar.api.http.signature.Refused.Why;
import io.bursar.approval.ApproverKey;
import io.bursar.permit.Bytes;

class RequestSignatureTest {
  // RFC 9421, B.1.4 and B.2: the key `test-key-ed25519`, the request `test-request`, and its signature in B.2.6.
  private static final byte[] PRIVATE = Base64.getUrlDecoder().decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU");
  private static final ApproverKey KEY = ApproverKey.parse(
      "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs\"}");
  private static final String BODY = "{\"hello\": \"world\"}";
  private static final Map<String, List<String>> TEST_REQUEST = headers("date", "Tue, 20 Apr 2021 02:07:55 GMT",
      "content-type", "application/json", "content-length", "18", "content-digest",
      "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:");
  private static final String B_2_6 = "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"
      + ";created=1618884473;keyid=\"test-key-ed25519\"";
  private static final String B_2_6_SIGNATURE = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";

  private static final String ID = "key_0199a1c27a9371c88000000000000005";
  private static final long CREATED = 1_764_115_200;
  private static final Instant NOW = Instant.ofEpochSecond(CREATED + 3);
  private static final String COVERED = "(\"@method\" \"@path\" \"@query\" \"content-digest\")";
  private static final String PARAMETERS = ";created=" + CREATED + ";keyid=\"" + ID + "\"";
  private static final RequestParts REQUEST = request("POST", "bursar.example", "/v1/agents", null,
      headers("content-digest", sha256(BODY)));

  private static Map<String, List<String>> headers(String... namesAndValues) {
    var headers = new TreeMap<String, List<String>>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      headers.merge(namesAndValues[i], List.of(namesAndValues[i + 1]),
          (one, other) -> List.of(one.getFirst(), other.getFirst()));
    }
    return headers;
  }

  private static RequestParts request(String method, String host, String path,
      @org.jspecify.annotations.Nullable String query, Map<String, List<String>> headers) {
    return new RequestParts(method, host, path, query,
        name -> headers.getOrDefault(name.toLowerCase(Locale.ROOT), List.of()));
  }

  private static String sha256(String body) {
    try {
      return "sha-256=:" + Base64.getEncoder().encodeToString(
          MessageDigest.getInstance("SHA-256").digest(body.getBytes(StandardCharsets.UTF_8))) + ":";
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static RequestSignature read(String input, String base64) throws Refused {
    return RequestSignature.read(List.of("sig=" + input), List.of("sig=:" + base64 + ":"));
  }

  private static String sign(String base) {
    var bytes = base.getBytes(StandardCharsets.US_ASCII);
    var signature = new byte[64];
    Ed25519.sign(PRIVATE, 0, bytes, 0, bytes.length, signature, 0);
    return Base64.getEncoder().encodeToString(signature);
  }

  /** Signed as a client would that saw this request, with this scheme. */
  private static RequestSignature signed(String input, RequestParts request, String scheme) throws Refused {
    var unsigned = read(input, Base64.getEncoder().encodeToString(new byte[64]));
    return read(input, sign(unsigned.base(request, scheme)));
  }

  private static Refused refusal(RequestSignature signature, RequestParts request) {
    return refusal(() -> signature.verified(request, KEY, ID, NOW));
  }

  private static Refused refusal(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
    var refused = catchThrowableOfType(Refused.class, call);
    assertThat(refused).isNotNull();
    return refused;
  }

  @Test
  void makesTheTextOfTheStandardsExampleAndBelievesItsSignature() throws Refused {
    var example = read(B_2_6, B_2_6_SIGNATURE);
    var base = example.base(request("POST", "example.com", "/foo", "param=Value&Pet=dog", TEST_REQUEST), "https");
    assertThat(base).isEqualTo("""
        "date": Tue, 20 Apr 2021 02:07:55 GMT
        "@method": POST
        "@path": /foo
        "@authority": example.com
        "content-type": application/json
        "content-length": 18
        "@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")\
        ;created=1618884473;keyid="test-key-ed25519\"""");
    assertThat(KEY.verifies(base.getBytes(StandardCharsets.US_ASCII), example.signature())).isTrue();
    assertThat(sign(base)).as("this kind of signature is always the same").isEqualTo(B_2_6_SIGNATURE);
  }

  /** RFC 9421, B.2.4, is an answer's and not a request's; its text and signature are as good for the key of B.1.3. */
  @Test
  void believesASignatureByP256AsTheStandardWritesIt() {
    var key = ApproverKey
        .parse("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA\","
            + "\"y\":\"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0\"}");
    var base = """
        "@status": 200
        "content-type": application/json
        "content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
        "content-length": 23
        "@signature-params": ("@status" "content-type" "content-digest" "content-length")\
        ;created=1618884473;keyid="test-key-ecc-p256\"""";
    assertThat(key.verifies(base.getBytes(StandardCharsets.US_ASCII), ApproverKey.signature(
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="))).isTrue();
  }

  @Test
  void holdsTheBodyAgainstEveryHashThatItKnows() throws Refused {
    var body = BODY.getBytes(StandardCharsets.UTF_8);
    var sha512 = TEST_REQUEST.getOrDefault("content-digest", List.of()).getFirst();
    assertThat(sha256(BODY)).isEqualTo("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    for (var good : List.of(sha512, sha256(BODY), sha512 + ", " + sha256(BODY), "md5=:AAAA:," + sha256(BODY))) {
      ContentDigest.check(List.of(good), body);
    }
    for (var wrong : List.of(sha256("{}"), sha512 + ", " + sha256("{}"), sha256("{}") + ", " + sha512, "md5=:AAAA:",
        sha256(BODY) + ", " + sha256(BODY), sha256(BODY) + ",", sha256(BODY) + " x", "sha-256=:AAAA:", "sha-256=::",
        "SHA-256" + sha256(BODY).substring(7), "sha-256", "", "sha-256=\"x\"",
        sha256(BODY).replaceFirst("=:$", ":"), "x=:" + "A".repeat(2_000) + ":, " + sha256(BODY))) {
      assertThat(refusal(() -> ContentDigest.check(List.of(wrong), body)).why()).as(wrong).isEqualTo(Why.INVALID);
    }
    refusal(() -> ContentDigest.check(List.of(sha256(BODY), sha256(BODY)), body));
    refusal(() -> ContentDigest.check(List.of(), body));
    ContentDigest.check(List.of(), new byte[0]);
    ContentDigest.check(List.of(sha256("")), new byte[0]);
    refusal(() -> ContentDigest.check(List.of(sha256(BODY)), new byte[0]));
  }

  @Test
  void believesEachWayToCoverTheTarget() throws Refused {
    var request = request("PUT", "Bursar.Example:443", "/v1/x%2Fy", "a=1&b=%20",
        headers("content-digest", sha256(BODY), "idempotency-key", "order-77"));
    for (var target : List.of("\"@path\" \"@query\"", "\"@request-target\"", "\"@target-uri\"",
        "\"@scheme\" \"@authority\" \"@path\" \"@query\"")) {
      var input = "(\"@method\" " + target + " \"content-digest\" \"idempotency-key\")" + PARAMETERS;
      for (var scheme : List.of("https", "http")) {
        assertThat(signed(input, request, scheme).verified(request, KEY, ID, NOW)).isNotNull();
      }
    }
    assertThat(read("(\"@target-uri\" \"@request-target\" \"@path\" \"@query\" \"@authority\")", B_2_6_SIGNATURE)
        .base(request, "https")).startsWith("""
            "@target-uri": https://bursar.example/v1/x%2Fy?a=1&b=%20
            "@request-target": /v1/x%2Fy?a=1&b=%20
            "@path": /v1/x%2Fy
            "@query": ?a=1&b=%20
            "@authority": bursar.example
            """);
    assertThat(read("(\"@query\")", B_2_6_SIGNATURE).base(REQUEST, "https")).startsWith("\"@query\": ?\n");
  }

  @Test
  void refusesASignatureOfAnyOtherRequest() throws Refused {
    var covered = "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \"idempotency-key\")";
    var headers = headers("content-digest", sha256(BODY), "idempotency-key", "order-77");
    var request = request("POST", "bursar.example", "/v1/spends", "a=1", headers);
    var signature = signed(covered + PARAMETERS, request, "https");
    assertThat(signature.verified(request, KEY, ID, NOW)).isNotNull();
    var others = List.of(request("PUT", "bursar.example", "/v1/spends", "a=1", headers),
        request("POST", "bursar.example.org", "/v1/spends", "a=1", headers),
        request("POST", "bursar.example", "/v1/spends/", "a=1", headers),
        request("POST", "bursar.example", "/v1/Spends", "a=1", headers),
        request("POST", "bursar.example", "/v1/spends", "a=2", headers),
        request("POST", "bursar.example", "/v1/spends", "", headers),
        request("POST", "bursar.example", "/v1/spends", null, headers),
        request("POST", "bursar.example", "/v1/spends", "a=1", headers("content-digest", sha256("{}"),
            "idempotency-key", "order-77")),
        request("POST", "bursar.example", "/v1/spends", "a=1", headers("content-digest", sha256(BODY),
            "idempotency-key", "order-78")),
        request("POST", "bursar.example", "/v1/spends", "a=1", headers("content-digest", sha256(BODY),
            "idempotency-key", "order-77", "idempotency-key", "order-78")),
        request("POST", "bursar.example", "/v1/spends", "a=1", headers("content-digest", sha256(BODY))),
        request("POST", "bursar.example", "/v1/spends", "a=1", headers("idempotency-key", "order-77")));
    for (var other : others) {
      assertThat(refusal(signature, other).why()).as("%s", other).isEqualTo(Why.INVALID);
    }
    assertThat(refusal(signature, others.getFirst())).hasMessageContaining("\"@method\": PUT\n");
  }

  @Test
  void refusesWhatIsSignedByOrForAnotherKey() throws Refused {
    var good = signed(COVERED + PARAMETERS, REQUEST, "https");
    assertThat(good.verified(REQUEST, KEY, ID, NOW)).isNotNull();
    var another = ApproverKey.parse(
        "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}");
    refusal(() -> good.verified(REQUEST, another, ID, NOW));
    assertThat(refusal(() -> good.verified(REQUEST, KEY, ID.replace('5', '6'), NOW))).hasMessageContaining("`keyid`");
    assertThat(refusal(signed(COVERED + ";created=" + CREATED, REQUEST, "https"), REQUEST))
        .hasMessageContaining("`keyid`");
    signed(COVERED + PARAMETERS + ";alg=\"ed25519\"", REQUEST, "https").verified(REQUEST, KEY, ID, NOW);
    for (var algorithm : List.of("hmac-sha256", "ecdsa-p256-sha256", "none", "", "Ed25519")) {
      assertThat(refusal(signed(COVERED + PARAMETERS + ";alg=\"" + algorithm + "\"", REQUEST, "https"), REQUEST))
          .hasMessageContaining("`alg` must be `ed25519`");
    }
  }

  @Test
  void isGoodForAMinuteAndALittleAhead() throws Refused {
    var good = signed(COVERED + PARAMETERS, REQUEST, "https");
    for (long later : List.of(-5L, 0L, 60L)) {
      assertThat(good.verified(REQUEST, KEY, ID, Instant.ofEpochSecond(CREATED + later))).isNotNull();
    }
    for (long later : List.of(-6L, 61L, 100_000L, -100_000L)) {
      assertThat(refusal(() -> good.verified(REQUEST, KEY, ID, Instant.ofEpochSecond(CREATED + later))).why())
          .as("%s s", later).isEqualTo(Why.STALE);
    }
    refusal(() -> good.verified(REQUEST, KEY, ID, Instant.ofEpochSecond(CREATED + 60).plusNanos(1)));
    var short_ = signed(COVERED + PARAMETERS + ";expires=" + (CREATED + 10), REQUEST, "https");
    assertThat(short_.verified(REQUEST, KEY, ID, Instant.ofEpochSecond(CREATED + 9))).isNotNull();
    assertThat(refusal(() -> short_.verified(REQUEST, KEY, ID, Instant.ofEpochSecond(CREATED + 10))).why())
        .isEqualTo(Why.STALE);
    assertThat(refusal(signed(COVERED + ";keyid=\"" + ID + "\"", REQUEST, "https"), REQUEST))
        .hasMessageContaining("`created`");
    refusal(signed(COVERED + ";created=999999999999999;keyid=\"" + ID + "\"", REQUEST, "https"), REQUEST);
  }

  @Test
  void refusesWhatDoesNotCoverEnough() throws Refused {
    for (var covered : List.of("()", "(\"@method\")", "(\"@path\" \"@query\" \"content-digest\")",
        "(\"@method\" \"@path\" \"content-digest\")", "(\"@method\" \"@query\" \"content-digest\")",
        "(\"@method\" \"@authority\" \"content-digest\")", "(\"@method\" \"@path\" \"@query\")")) {
      assertThat(refusal(signed(covered + PARAMETERS, REQUEST, "https"), REQUEST)).as(covered)
          .hasMessageContaining("must cover");
    }
  }

  @Test
  void refusesWhatIsNotWrittenAsItMustBe() {
    var base64 = B_2_6_SIGNATURE;
    for (var wrong : List.of("", "(", "\"@method\"", "(\"@method\"", "(\"@method\"  \"@path\")", "( \"@method\")",
        "(\"@method\" )", "(@method)", "(\"@Method\")", "(\"Content-Digest\")", "(\"@method\" \"@method\")",
        "(\"content-digest\";sf)", "(\"@method\";req)", "(\"x y\")", "(\"\")", "(\"a\\b\")", "(\"ä\")", "()x",
        "();created", "();created=", "();created=-1", "();created=01", "();created=1.5", "();created=\"1\"",
        "();created=1;created=1", "();created=1234567890123456", "();keyid=x", "();keyid=\"", "();keyid=\"\\x\"",
        "();keyid=\"a\";keyid=\"a\"", "(); created=1", "();created=1;", "();scope=\"x\"", "();Created=1",
        "();nonce=\"" + "n".repeat(256) + "\"", "();tag=:AAAA:", "(), two=()", "();created=1, two=()")) {
      assertThat(refusal(() -> read(wrong, base64)).why()).as(wrong).isEqualTo(Why.INVALID);
    }
    refusal(() -> read("(" + "\"a\" ".repeat(600) + ")", base64));
    var many = new StringBuilder("(");
    for (int i = 0; i < 33; i++) {
      many.append(i == 0 ? "" : " ").append("\"h").append(i).append('"');
    }
    assertThat(refusal(() -> read(many + ")", base64))).hasMessageContaining("32 components");
  }

  @Test
  void takesOneSignatureOf64BytesAndNoOther() {
    var input = List.of("sig=" + COVERED + PARAMETERS);
    var good = "sig=:" + B_2_6_SIGNATURE + ":";
    assertThat(refusal(() -> RequestSignature.read(List.of(), List.of())).why()).isEqualTo(Why.MISSING);
    assertThat(refusal(() -> RequestSignature.read(input, List.of())).why()).isEqualTo(Why.MISSING);
    assertThat(refusal(() -> RequestSignature.read(List.of(), List.of(good))).why()).isEqualTo(Why.MISSING);
    for (var wrong : List.of("", "sig", "sig=", "sig=::", "sig=:AAAA:", "sig=AAAA", "sig=\"AAAA\"",
        "other" + good.substring(3),
        good + ", two=:AAAA:", good + ", " + good, good + ";x=1", good.replace("==:", ":"), good.replace("w==", "x=="),
        good.replace("wq", "_q"), "sig=:" + "A".repeat(400) + ":", good.substring(0, good.length() - 1))) {
      assertThat(refusal(() -> RequestSignature.read(input, List.of(wrong))).why()).as(wrong).isEqualTo(Why.INVALID);
    }
    assertThat(refusal(() -> RequestSignature.read(input, List.of(good, good)))).hasMessageContaining("once");
    assertThat(refusal(() -> RequestSignature.read(List.of(input.getFirst(), input.getFirst()), List.of(good))))
        .hasMessageContaining("once");
    assertThat(refusal(() -> RequestSignature.read(List.of(input.getFirst() + ", b=()"), List.of(good))))
        .hasMessageContaining("one signature");
  }

  @Test
  void coversNoHeaderThatIsNotThereOrIsNotAscii() throws Refused {
    var input = "(\"@method\" \"@request-target\" \"x\")" + PARAMETERS;
    var signature = read(input, B_2_6_SIGNATURE);
    assertThat(refusal(signature, request("GET", "h", "/", null, headers()))).hasMessageContaining("no such header");
    assertThat(refusal(signature, request("GET", "h", "/", null, headers("x", "caf\u00e9"))))
        .hasMessageContaining("ASCII");
    refusal(signature, request("GET", "h", "/", null, headers("x", "a\nb")));
    assertThat(refusal(read("(\"@method\" \"@request-target\" \"@status\")" + PARAMETERS, B_2_6_SIGNATURE),
        request("GET", "h", "/", null, headers())))
        .hasMessageContaining("`@status`");
  }

  @Test
  void showsWhatShouldHaveBeenSignedButNoSecret() throws Refused {
    var request = request("GET", "h", "/", null, headers("authorization", "Bearer bur_secret"));
    var signature = read("(\"@method\" \"@request-target\" \"authorization\")" + PARAMETERS, B_2_6_SIGNATURE);
    assertThat(refusal(signature, request).getMessage()).contains("@signature-params").doesNotContain("bur_secret");
  }

  /** No change of one character in headers or request is let through, and none makes it fail in another way. */
  @Test
  void letsNoChangeOfASingleCharacterPass() throws Refused {
    long seed = System.nanoTime();
    var random = new Random(seed);
    var signed = signed(COVERED + PARAMETERS, REQUEST, "https");
    var input = "sig=" + COVERED + PARAMETERS;
    var signature = "sig=:" + Base64.getEncoder().encodeToString(signed.signature().toByteArray()) + ":";
    for (int i = 0; i < 2_000; i++) {
      boolean first = random.nextBoolean();
      var text = new StringBuilder(first ? input : signature);
      int at = 3 + random.nextInt(text.length() - 3);
      char other = (char) (' ' + random.nextInt(95));
      if (text.charAt(at) == other) {
        continue;
      }
      text.setCharAt(at, other);
      refusal(() -> RequestSignature
          .read(List.of(first ? text.toString() : input), List.of(first ? signature : text.toString()))
          .verified(REQUEST, KEY, ID, NOW));
    }
    assertThat(seed).as("seed").isNotZero();
  }

  @Test
  void namesARequestByWhatWasSignedSinceOneRequestHasManySignatures() throws Refused {
    var once = signed(COVERED + PARAMETERS, REQUEST, "https").verified(REQUEST, KEY, ID, NOW);
    assertThat(signed(COVERED + PARAMETERS, REQUEST, "https").verified(REQUEST, KEY, ID, NOW)).isEqualTo(once);
    assertThat(signed(COVERED + PARAMETERS + ";nonce=\"2\"", REQUEST, "https").verified(REQUEST, KEY, ID, NOW))
        .isNotEqualTo(once);
    assertThat(Bytes.of(once.bytes()).size()).isEqualTo(32);
  }
}
