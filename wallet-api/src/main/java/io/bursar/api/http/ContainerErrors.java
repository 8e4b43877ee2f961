package io.bursar.api.http;

import java.io.IOException;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
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
  private static final Logger LOG = LoggerFactory.getLogger(ContainerErrors.class);

  @RequestMapping("/error")
  void answer(HttpServletRequest request, HttpServletResponse response) throws IOException {
    if (request.getDispatcherType() != DispatcherType.ERROR) {
      throw Problem.of(ProblemCode.NOT_FOUND, "there is nothing at this path");
    }
    int status = request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE) instanceof Integer code ? code : 500;
    // A connection that fails under a request, as one does that is slow or broken off, is noted nowhere else.
    if (status < 500 && request.getAttribute(RequestDispatcher.ERROR_EXCEPTION) instanceof IOException failure) {
      LOG.warn("a request could not be read, answered {}: {}", status, failure.toString());
    }
    Problems.write(response, Problems.refusal(status));
  }
}
