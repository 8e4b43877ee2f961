package io.bursar.api.http;

import java.io.IOException;
import java.sql.SQLException;
import java.util.Set;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessException;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.transaction.TransactionException;
import org.springframework.web.ErrorResponse;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;

import io.bursar.json.JsonText;
import io.bursar.store.Directory;
import io.bursar.store.LaneStop;
import jakarta.servlet.http.HttpServletResponse;

/** Turns every exception into an answer that helps the client and tells nothing else. */
@RestControllerAdvice
public final class Problems {
  private static final Logger LOG = LoggerFactory.getLogger(Problems.class);

  @ExceptionHandler
  ResponseEntity<byte[]> problem(Problem problem) {
    return problem(problem, Set.of());
  }

  private static ResponseEntity<byte[]> problem(Problem problem, Set<HttpMethod> allowed) {
    var answer = ResponseEntity.status(problem.code().status()).contentType(MediaType.APPLICATION_PROBLEM_JSON);
    if (problem.retryAfterSeconds() > 0) {
      answer = answer.header("Retry-After", Integer.toString(problem.retryAfterSeconds()));
    }
    if (!allowed.isEmpty()) {
      answer = answer.allow(allowed.toArray(HttpMethod[]::new));
    }
    return answer.body(JsonText.inOrder(problem.toJson()));
  }

  @ExceptionHandler
  ResponseEntity<byte[]> nothingThere(Directory.NothingThere nothing) {
    return problem(Problem.of(ProblemCode.NOT_FOUND, "something that is named here is not there, or not the tenant's"));
  }

  @ExceptionHandler
  ResponseEntity<byte[]> stopped(LaneStop.LaneStopped stopped) {
    return problem(Problem.of(ProblemCode.LANE_STOPPED,
        "the operator has to look into it first; nothing was done: " + stopped.getMessage()));
  }

  @ExceptionHandler({DataAccessException.class, TransactionException.class, SQLException.class})
  ResponseEntity<byte[]> database(Exception failure, HttpServletResponse response) throws Exception {
    LOG.error("the database failed", failure);
    breakOff(failure, response);
    return problem(Problem.retryAfter(ProblemCode.DATABASE_UNAVAILABLE,
        "nothing is certain to have been done; send the same request again with the same key", 1));
  }

  /** What Spring itself refuses: unknown paths and methods, unreadable parameters. */
  @ExceptionHandler
  ResponseEntity<byte[]> any(Exception failure, HttpServletResponse response) throws Exception {
    breakOff(failure, response);
    if (failure instanceof ErrorResponse refused && refused.getStatusCode().is4xxClientError()) {
      return problem(refusal(refused.getStatusCode().value()), refused.getHeaders().getAllow());
    }
    LOG.error("a request failed", failure);
    return problem(refusal(500));
  }

  /** What is said of a request that came to no controller's end, by the status that Spring or the container gave it. */
  static Problem refusal(int status) {
    return switch (status) {
      case 404 -> Problem.of(ProblemCode.NOT_FOUND, "there is nothing at this path");
      case 405 -> Problem.of(ProblemCode.METHOD_NOT_ALLOWED, "see `/openapi.yaml` for what is possible at this path");
      case 406 -> Problem.of(ProblemCode.NOT_ACCEPTABLE,
          "accept what `/openapi.yaml` says that this path answers with, which is `application/json` most often");
      case 408 -> Problem.of(ProblemCode.REQUEST_TIMEOUT,
          "the body did not arrive in time and nothing was done; send the same request again on another connection");
      case 415 -> Problem.of(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "send `Content-Type: application/json`");
      default -> status < 500
          ? Problem.of(ProblemCode.INVALID_REQUEST, "the request cannot be read")
          : Problem.of(ProblemCode.INTERNAL_ERROR,
              "the fault is noted in the service's log; send the same request again later");
    };
  }

  /** An answer that has begun cannot become a problem: thrown on, the failure ends the connection, and the client sees that. */
  private static void breakOff(Exception failure, HttpServletResponse response) throws Exception {
    if (response.isCommitted()) {
      throw failure;
    }
  }

  /** Writes a problem where no controller is involved. */
  static void write(HttpServletResponse response, Problem problem) throws IOException {
    if (problem.retryAfterSeconds() > 0) {
      response.setHeader("Retry-After", Integer.toString(problem.retryAfterSeconds()));
    }
    Bodies.write(response, problem.code().status(), MediaType.APPLICATION_PROBLEM_JSON_VALUE, problem.toJson());
  }
}
