package io.bursar.api.http;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.bursar.api.http.signature.ContentDigest;
import io.bursar.api.http.signature.Refused;
import io.bursar.api.http.signature.RequestParts;
import io.bursar.api.http.signature.RequestSignature;
import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.UsedSignatures;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;

/**
 * Lets the requests of a key that is bound to a key pair through, if the pair's private half has signed them. Whoever has the
 * secret alone can read what its role may read, and change nothing.
 */
public final class SignedRequests {
  /** The largest body that any call takes; the call itself may take less. */
  static final int BODY_BYTES_MAX = 8 * 1024 * 1024;

  /** What may come twice, since the second time it does nothing. Whatever is not exactly one of these may come once. */
  private static final Set<String> REPEATABLE = Set.of("/v1/spends", "/v1/spends/batch", "/v1/spends/dry-run");

  private final UsedSignatures used;
  private final Clock clock;

  public SignedRequests(UsedSignatures used, Clock clock) {
    this.used = used;
    this.clock = clock;
  }

  /**
   * The request, to be read in place of the one that came: its body is the very bytes that were held against the signed hash.
   *
   * @throws Problem if it is not signed, though it changes something, or is not signed as it must be
   */
  HttpServletRequest letThrough(HttpServletRequest request, ApiKeys.ApiKey key) {
    boolean reads = request.getMethod().equals("GET") || request.getMethod().equals("HEAD");
    var inputLines = lines(request, RequestSignature.INPUT_HEADER);
    var signatureLines = lines(request, RequestSignature.SIGNATURE_HEADER);
    if (reads && inputLines.isEmpty() && signatureLines.isEmpty()) {
      return request;
    }
    try {
      var signature = RequestSignature.read(inputLines, signatureLines);
      var publicKey = Objects.requireNonNull(key.publicKey());
      var signed = signature.verified(parts(request), publicKey, Id.API_KEY.text(key.id()), clock.instant());
      // Only now: who cannot sign cannot make us read a body, or write anything down.
      var body = body(request);
      if (!reads && !isRepeatable(request) && !used.use(key.tenantId(), key.id(), signed)) {
        throw Problem.of(ProblemCode.REQUEST_SIGNATURE_USED, "this request came already, and is let through once;"
            + " to do the same again, sign again with another `nonce` or `created`");
      }
      return new BodyInHand(request, body);
    } catch (Refused e) {
      throw Problem.of(switch (e.why()) {
        case MISSING -> ProblemCode.REQUEST_SIGNATURE_REQUIRED;
        case INVALID -> ProblemCode.REQUEST_SIGNATURE_INVALID;
        case STALE -> ProblemCode.REQUEST_SIGNATURE_STALE;
      }, String.valueOf(e.getMessage()));
    }
  }

  /** The body; its hash, if it has one, is covered: the signature would have been refused otherwise. */
  private static byte[] body(HttpServletRequest request) throws Refused {
    var body = Bodies.bytes(request, BODY_BYTES_MAX);
    ContentDigest.check(lines(request, ContentDigest.HEADER), body);
    return body;
  }

  private static boolean isRepeatable(HttpServletRequest request) {
    return request.getMethod().equals("POST") && REPEATABLE.contains(request.getRequestURI());
  }

  private static RequestParts parts(HttpServletRequest request) {
    return new RequestParts(request.getMethod(), Objects.requireNonNullElse(request.getHeader("Host"), ""),
        request.getRequestURI(), request.getQueryString(), name -> lines(request, name));
  }

  private static List<String> lines(HttpServletRequest request, String header) {
    return Collections.list(request.getHeaders(header));
  }

  /** A request whose body was read already. */
  private static final class BodyInHand extends HttpServletRequestWrapper {
    private final byte[] body;
    private @Nullable ServletInputStream stream;

    BodyInHand(HttpServletRequest request, byte[] body) {
      super(request);
      this.body = body;
    }

    @Override
    public int getContentLength() {
      return body.length;
    }

    @Override
    public long getContentLengthLong() {
      return body.length;
    }

    @Override
    public ServletInputStream getInputStream() {
      var open = stream == null ? new InHand(body) : stream;
      stream = open;
      return open;
    }

    @Override
    public BufferedReader getReader() {
      return new BufferedReader(new InputStreamReader(getInputStream(), StandardCharsets.UTF_8));
    }
  }

  private static final class InHand extends ServletInputStream {
    private final ByteArrayInputStream bytes;

    InHand(byte[] body) {
      this.bytes = new ByteArrayInputStream(body);
    }

    @Override
    public int read() {
      return bytes.read();
    }

    @Override
    public int read(byte[] into, int offset, int length) {
      return bytes.read(into, offset, length);
    }

    @Override
    public boolean isFinished() {
      return bytes.available() == 0;
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setReadListener(ReadListener listener) {
      throw new IllegalStateException("bodies are read at once");
    }
  }
}
