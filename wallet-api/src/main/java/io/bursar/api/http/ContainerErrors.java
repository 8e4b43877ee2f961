package io.bursar.api.http;

import java.io.IOException;

import org.springframework.boot.webmvc.error.ErrorController;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** What no controller comes to see, such as a path with an encoded slash, is answered like every other error. */
@RestController
public final class ContainerErrors implements ErrorController {
  @RequestMapping("/error")
  void answer(HttpServletRequest request, HttpServletResponse response) throws IOException {
    if (request.getDispatcherType() != DispatcherType.ERROR) {
      throw Problem.of(ProblemCode.NOT_FOUND, "there is nothing at this path");
    }
    int status = request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE) instanceof Integer code ? code : 500;
    Problems.write(response, switch (status) {
      case 404 -> Problem.of(ProblemCode.NOT_FOUND, "there is nothing at this path");
      case 405 ->
        Problem.of(ProblemCode.METHOD_NOT_ALLOWED, "see `/openapi.yaml` for what is possible at this path");
      default -> status < 500
          ? Problem.of(ProblemCode.INVALID_REQUEST, "the request cannot be read")
          : Problem.of(ProblemCode.INTERNAL_ERROR,
              "the fault is noted in the service's log; send the same request again later");
    });
  }
}
