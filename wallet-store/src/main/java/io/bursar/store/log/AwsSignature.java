package io.bursar.store.log;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.SortedMap;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

import io.bursar.store.Database;

/**
 * Signs requests to S3-compatible stores by AWS Signature Version 4, in the {@code Authorization} header.
 *
 * @param region such as {@code eu-central-1}; stores of others often take any
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html">The Amazon S3 API: signature
 *     calculations for the Authorization header</a>
 */
record AwsSignature(String accessKey, Database.Secret secretKey, String region) {
  private static final String ALGORITHM = "AWS4-HMAC-SHA256";
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'")
      .withZone(ZoneOffset.UTC);

  /** A time as the header {@code x-amz-date} has it. */
  static String time(Instant at) {
    return TIME.format(at);
  }

  /** The SHA-256 of a body as the header {@code x-amz-content-sha256} has it. */
  static String hash(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * The value of {@code Authorization}.
   *
   * @param path of the URL, with no character that would have to be escaped; there is no query
   * @param headers all that are signed, by their names in lower case: {@code host}, {@code x-amz-content-sha256} and
   *     {@code x-amz-date} among them
   */
  String authorization(String method, String path, SortedMap<String, String> headers) {
    var names = String.join(";", headers.keySet());
    var canonical = new StringBuilder(method + "\n" + path + "\n\n");
    headers.forEach((name, value) -> canonical.append(name).append(':').append(value.strip()).append('\n'));
    canonical.append('\n').append(names).append('\n').append(headers.get("x-amz-content-sha256"));
    var time = String.valueOf(headers.get("x-amz-date"));
    var day = time.substring(0, 8);
    var scope = day + "/" + region + "/s3/aws4_request";
    var toSign = ALGORITHM + "\n" + time + "\n" + scope + "\n" + hash(utf8(canonical.toString()));
    var key = utf8("AWS4" + secretKey.value());
    for (var part : new String[]{day, region, "s3", "aws4_request"}) {
      key = hmac(key, part);
    }
    return ALGORITHM + " Credential=" + accessKey + "/" + scope + ",SignedHeaders=" + names + ",Signature="
        + HexFormat.of().formatHex(hmac(key, toSign));
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(utf8(text));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
