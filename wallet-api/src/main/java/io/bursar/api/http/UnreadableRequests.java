package io.bursar.api.http;

import java.io.IOException;

import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.core.StandardHost;
import org.apache.catalina.valves.ErrorReportValve;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.MediaType;

import io.bursar.json.JsonText;

/** What the container refuses before anything of ours sees it, such as a header that cannot be read, is a problem too and no page. */
public final class UnreadableRequests extends ErrorReportValve {
  private static final Logger LOG = LoggerFactory.getLogger(UnreadableRequests.class);
  private static final int ERRORS = 400;
  private static final int SERVER_ERROR = 500;

  /** Puts it in the place of the container's own. */
  @Configuration(proxyBeanMethods = false)
  static class Place {
    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> unreadableRequests() {
      return factory -> factory.addContextCustomizers(context -> ((StandardHost) context.getParent())
          .setErrorReportValveClass(UnreadableRequests.class.getName()));
    }
  }

  @Override
  protected void report(Request request, Response response, @Nullable Throwable failure) {
    int status = response.getStatus();
    if (status < ERRORS || response.getContentWritten() > 0 || !response.setErrorReported()) {
      return;
    }
    // Above 500 it says what of HTTP it does not speak, which is the request's fault.
    var problem = Problems.refusal(status > SERVER_ERROR ? ERRORS : status);
    try {
      response.setStatus(problem.code().status());
      response.setContentType(MediaType.APPLICATION_PROBLEM_JSON_VALUE);
      response.setHeader("Cache-Control", "no-store");
      response.getOutputStream().write(JsonText.inOrder(problem.toJson()));
      response.finishResponse();
    } catch (IOException | IllegalStateException gone) {
      LOG.debug("a refusal was not heard", gone);
    }
  }
}
