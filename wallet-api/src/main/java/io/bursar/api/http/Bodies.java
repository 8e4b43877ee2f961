package io.bursar.api.http;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonText;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** Reads request bodies strictly, and writes answers. */
public final class Bodies {
  /** The most bytes of a body, where nothing else is said. */
  public static final int BYTES_MAX = 64 * 1024;

  /** {@code application/json}, with any parameters; not {@code application/json-patch+json}. */
  private static final Pattern JSON_TYPE = Pattern.compile("(?i)application/json\\s*(;.*)?");

  private Bodies() {}

  public static Json read(HttpServletRequest request) {
    return read(request, BYTES_MAX);
  }

  /**
   * The body as JSON.
   *
   * @throws Problem if it is larger than {@code bytesMax} or is not strict JSON
   */
  public static Json read(HttpServletRequest request, int bytesMax) {
    var type = request.getContentType();
    if (type != null && !JSON_TYPE.matcher(type).matches()) {
      throw Problem.of(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "send `Content-Type: application/json`");
    }
    if (request.getHeader("Content-Encoding") != null) {
      throw Problem.of(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "send the body as it is, without `Content-Encoding`");
    }
    try {
      return JsonText.parse(bytes(request, bytesMax));
    } catch (JsonText.Malformed e) {
      throw Problem.of(ProblemCode.MALFORMED_JSON, List.of(e.fault()));
    }
  }

  /** The body as it came. @throws Problem if it is larger than {@code bytesMax} */
  static byte[] bytes(HttpServletRequest request, int bytesMax) {
    try {
      long announced = request.getContentLengthLong();
      if (announced > bytesMax) {
        throw tooLarge(bytesMax);
      }
      // Where no length was announced, one byte more than there may be shows that there are too many.
      var bytes = request.getInputStream().readNBytes(announced < 0 ? bytesMax + 1 : (int) announced);
      if (bytes.length > bytesMax) {
        throw tooLarge(bytesMax);
      }
      return bytes;
    } catch (IOException e) {
      // The container knows why, and answers by `ContainerErrors` in place of this.
      throw Problem.of(ProblemCode.INVALID_REQUEST, "the body cannot be read");
    }
  }

  private static Problem tooLarge(int bytesMax) {
    return Problem.of(ProblemCode.BODY_TOO_LARGE, "a body here has at most " + bytesMax / 1024 + " KiB");
  }

  /**
   * Reads an object member by member; every fault and every unknown member is named at once.
   *
   * @param read may answer null only where it has noted a fault
   * @throws Problem if there is any
   */
  public static <T> T parse(Json body, Function<JsonReader, @Nullable T> read) {
    var faults = new ArrayList<JsonReader.Fault>();
    var reader = JsonReader.of(body, "", faults);
    var value = read.apply(reader);
    reader.refuseUnknown();
    refuse(faults);
    return Objects.requireNonNull(value);
  }

  /** Throws if there are faults. */
  public static void refuse(List<JsonReader.Fault> faults) {
    if (!faults.isEmpty()) {
      throw Problem.of(ProblemCode.INVALID_REQUEST, faults);
    }
  }

  public static ResponseEntity<byte[]> ok(Json body) {
    return answer(200, body);
  }

  public static ResponseEntity<byte[]> created(Json body) {
    return answer(201, body);
  }

  /** It will be done, and is not yet. */
  public static ResponseEntity<byte[]> accepted(Json body) {
    return answer(202, body);
  }

  public static ResponseEntity<byte[]> noContent() {
    return ResponseEntity.noContent().build();
  }

  /** Answers without the detour over {@link ResponseEntity}, for the one call that every spend makes. */
  public static void write(HttpServletResponse response, int status, Json body) throws IOException {
    write(response, status, MediaType.APPLICATION_JSON_VALUE, body);
  }

  static void write(HttpServletResponse response, int status, String mediaType, Json body) throws IOException {
    var bytes = JsonText.inOrder(body);
    response.setStatus(status);
    response.setContentType(mediaType);
    response.setContentLength(bytes.length);
    response.getOutputStream().write(bytes);
  }

  /** A text for people. */
  public static ResponseEntity<byte[]> text(String text) {
    return ResponseEntity.ok().contentType(new MediaType(MediaType.TEXT_PLAIN, StandardCharsets.UTF_8))
        .body(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Reads the parameter {@code as}: whether a text is wanted instead of JSON. */
  public static boolean textOrJson(String as) {
    return switch (as) {
      case "text" -> true;
      case "json" -> false;
      default -> throw new IllegalArgumentException("must be `text` or `json`");
    };
  }

  private static ResponseEntity<byte[]> answer(int status, Json body) {
    return ResponseEntity.status(status).contentType(MediaType.APPLICATION_JSON).body(JsonText.inOrder(body));
  }
}
