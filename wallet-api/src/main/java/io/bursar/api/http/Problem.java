package io.bursar.api.http;

import java.util.List;

import io.bursar.json.Json;
import io.bursar.json.JsonReader;

/**
 * An answer that is an error (RFC 9457). Thrown by what handles a request, and rendered in one place.
 *
 * <p>{@code detail} is for the client: what was wrong, with what value, and what to do.
 */
public final class Problem extends RuntimeException {
  private final ProblemCode code;
  private final transient List<JsonReader.Fault> faults;
  private final int retryAfterSeconds;

  private Problem(ProblemCode code, String detail, List<JsonReader.Fault> faults, int retryAfterSeconds) {
    super(detail, null, false, false);
    this.code = code;
    this.faults = List.copyOf(faults);
    this.retryAfterSeconds = retryAfterSeconds;
  }

  public static Problem of(ProblemCode code, String detail) {
    return new Problem(code, detail, List.of(), 0);
  }

  /** A request with faults, all of which are named. */
  public static Problem of(ProblemCode code, List<JsonReader.Fault> faults) {
    var first = faults.getFirst();
    var detail = (first.pointer().isEmpty() ? "the body" : "`" + first.pointer() + "`") + " " + first.message()
        + (faults.size() == 1 ? "" : "; and " + (faults.size() - 1) + " more");
    return new Problem(code, detail, faults, 0);
  }

  /** An error that passes; the client should try again after so many seconds. */
  public static Problem retryAfter(ProblemCode code, String detail, int seconds) {
    return new Problem(code, detail, List.of(), seconds);
  }

  /** What is not there, or belongs to another tenant: nobody can tell which. */
  public static Problem notFound(String what) {
    return of(ProblemCode.NOT_FOUND, "there is no such " + what);
  }

  public ProblemCode code() {
    return code;
  }

  /** 0 where the client is not asked to wait. */
  int retryAfterSeconds() {
    return retryAfterSeconds;
  }

  public Json toJson() {
    var errors = faults.stream()
        .<Json>map(fault -> Json.object().put("pointer", fault.pointer()).put("message", fault.message()).build())
        .toList();
    return Json.object().put("type", "urn:bursar:problem:" + code.name()).put("title", code.title())
        .put("status", code.status())
        .put("detail", getMessage()).put("code", code.name())
        .put("errors", errors.isEmpty() ? null : new Json.Arr(errors)).build();
  }
}
