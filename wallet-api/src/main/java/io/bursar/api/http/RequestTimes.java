package io.bursar.api.http;

import java.io.IOException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

import org.springframework.web.servlet.HandlerMapping;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/**
 * Measures every request as {@code http.server.requests}, by method, path pattern and status: what Spring's own observation
 * measures, at a fraction of its cost. A request that met no controller has the pattern {@code none}, so that nobody can
 * make new series by asking for new paths.
 */
public final class RequestTimes extends HttpFilter {
  private static final Set<String> METHODS = Set.of("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH");

  private record Series(String method, String uri, int status) {}

  private final transient MeterRegistry registry;
  private final transient ConcurrentHashMap<Series, Timer> timers = new ConcurrentHashMap<>();

  public RequestTimes(MeterRegistry registry) {
    this.registry = registry;
  }

  @Override
  protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    long began = System.nanoTime();
    try {
      chain.doFilter(request, response);
    } finally {
      var method = METHODS.contains(request.getMethod()) ? request.getMethod() : "OTHER";
      var pattern = request.getAttribute(HandlerMapping.BEST_MATCHING_PATTERN_ATTRIBUTE);
      var series = new Series(method, pattern == null ? "none" : pattern.toString(), response.getStatus());
      timers.computeIfAbsent(series, this::timer).record(System.nanoTime() - began, TimeUnit.NANOSECONDS);
    }
  }

  private Timer timer(Series series) {
    return Timer.builder("http.server.requests")
        .description("HTTP requests by what they met and how they were answered")
        .tag("method", series.method()).tag("uri", series.uri()).tag("status", Integer.toString(series.status()))
        .register(registry);
  }
}
