package io.bursar.api.events;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

import javax.net.ssl.SSLException;

import org.apache.hc.client5.http.DnsResolver;
import org.apache.hc.client5.http.SystemDefaultDnsResolver;
import org.apache.hc.client5.http.classic.methods.HttpPost;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.ManagedHttpClientConnectionFactory;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.config.Http1Config;
import org.apache.hc.core5.http.io.entity.ByteArrayEntity;
import org.apache.hc.core5.util.Timeout;
import org.jspecify.annotations.Nullable;

import io.bursar.json.JsonText;
import io.bursar.spend.Id;
import io.bursar.store.events.Event;
import io.bursar.store.events.Outbox.Attempt;

/**
 * Sends one event to one receiver and says what came of it. The receiver is a stranger: it is reached only on the public Internet,
 * never where it redirects to, within a time for the whole exchange, and little of its answer is read.
 */
public final class WebhookSender implements AutoCloseable {
  /**
   * Bounds.
   *
   * @param allowsPrivate whether addresses of private networks and plain HTTP may be used; only for development
   * @param connect for connecting
   * @param whole for the exchange from beginning to end
   */
  public record Settings(boolean allowsPrivate, Duration connect, Duration whole) {
    /** Five seconds to connect, and fifteen for it all. */
    public static Settings of(boolean allowsPrivate) {
      return new Settings(allowsPrivate, Duration.ofSeconds(5), Duration.ofSeconds(15));
    }
  }

  private static final int ANSWER_BYTES_MAX = 16 * 1024;
  private static final int HEADER_LINE_MAX = 8 * 1024;
  private static final int HEADERS_MAX = 100;
  private static final int CONNECTIONS_MAX = 256;
  private static final int GONE = 410;

  private final Settings settings;
  private final Clock clock;
  private final CloseableHttpClient http;
  private final ScheduledExecutorService deadlines = Executors
      .newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("webhook-deadlines").factory());

  public WebhookSender(Settings settings, Clock clock) {
    this(settings, clock, InetAddress::getAllByName);
  }

  WebhookSender(Settings settings, Clock clock, PublicAddresses.Names names) {
    this.settings = settings;
    this.clock = clock;
    DnsResolver resolver = settings.allowsPrivate ? SystemDefaultDnsResolver.INSTANCE : new PublicAddresses(names);
    var connect = Timeout.of(settings.connect);
    var whole = Timeout.of(settings.whole);
    var connections = PoolingHttpClientConnectionManagerBuilder.create().setDnsResolver(resolver)
        .setConnectionFactory(ManagedHttpClientConnectionFactory.builder()
            .http1Config(
                Http1Config.custom().setMaxLineLength(HEADER_LINE_MAX).setMaxHeaderCount(HEADERS_MAX).build())
            .build())
        .setDefaultConnectionConfig(
            ConnectionConfig.custom().setConnectTimeout(connect).setSocketTimeout(whole).build())
        .setMaxConnTotal(CONNECTIONS_MAX).setMaxConnPerRoute(CONNECTIONS_MAX).build();
    http = HttpClients.custom().setConnectionManager(connections)
        .setDefaultRequestConfig(
            RequestConfig.custom().setResponseTimeout(whole).setConnectionRequestTimeout(connect).build())
        // Each message has a connection of its own, so that each one's address is looked at.
        .setConnectionReuseStrategy((request, response, context) -> false)
        .disableRedirectHandling().disableAutomaticRetries().disableCookieManagement().disableAuthCaching()
        .disableContentCompression().setUserAgent("Bursar").build();
  }

  /** Sends an event as Standard Webhooks says. Never throws for what a receiver does. */
  public Attempt send(String url, byte[] key, Event event) {
    var body = JsonText.inOrder(event.toJson());
    var id = Id.EVENT.text(event.id());
    long timestamp = clock.instant().getEpochSecond();
    var post = new HttpPost(URI.create(url));
    post.setHeader("webhook-id", id);
    post.setHeader("webhook-timestamp", Long.toString(timestamp));
    post.setHeader("webhook-signature", WebhookSecret.sign(key, id, timestamp, body));
    post.setEntity(
        new ByteArrayEntity(body, ContentType.APPLICATION_JSON.withCharset((java.nio.charset.Charset) null)));
    var deadline = deadlines.schedule(post::cancel, settings.whole.toMillis(), TimeUnit.MILLISECONDS);
    var answered = new AtomicReference<@Nullable Attempt>();
    try {
      return http.execute(post, response -> attempt(post, response, answered));
    } catch (IOException e) {
      var attempt = answered.get();
      return attempt != null ? attempt : new Attempt(null, post.isCancelled() ? timeOut() : reason(e), false);
    } finally {
      deadline.cancel(false);
    }
  }

  private static Attempt attempt(HttpPost post, ClassicHttpResponse response,
      AtomicReference<@Nullable Attempt> answered) throws IOException {
    var attempt = result(response.getCode());
    var entity = response.getEntity();
    if (entity != null && entity.getContent() != null
        && entity.getContent().readNBytes(ANSWER_BYTES_MAX + 1).length > ANSWER_BYTES_MAX) {
      answered.set(attempt);
      post.cancel(); // or the rest of it would be read to its end
    }
    return attempt;
  }

  private static Attempt result(int status) {
    if (status >= 200 && status < 300) {
      return new Attempt(status, null, false);
    }
    var error = status >= 300 && status < 400
        ? "the receiver redirects (HTTP status " + status + "), which is not followed: register the new URL"
        : "the receiver answered with HTTP status " + status;
    return new Attempt(status, error, status == GONE);
  }

  private String timeOut() {
    return "the receiver did not answer within " + settings.whole.toMillis() + " ms";
  }

  /** The kind of failure, without what only the machine's owner should know. */
  private String reason(IOException e) {
    return switch (e) {
      case PublicAddresses.NotPublic refused -> String.valueOf(refused.getMessage());
      case UnknownHostException _ -> "the host's name cannot be resolved";
      case java.net.SocketTimeoutException _ -> timeOut();
      case ConnectException _ -> "the receiver refuses the connection";
      case SSLException _ -> "TLS failed: the certificate is not trusted, or not for this host";
      default -> "the connection broke";
    };
  }

  @Override
  public void close() {
    deadlines.shutdownNow();
    http.close(org.apache.hc.core5.io.CloseMode.IMMEDIATE);
  }
}
