package io.bursar.api.endtoend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

import com.sun.net.httpserver.HttpServer;

import io.bursar.api.demo.Client;
import io.bursar.api.testing.ApiProcess;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.AuditEntries;
import io.bursar.store.TestDatabase;

/** Those who follow what happens miss nothing, see it in order, and see no more than they may. */
final class EventsTest {
  private static final TestDatabase DATABASE = TestDatabase.create();
  private static final ApiProcess API = ApiProcess.on(DATABASE.settings())
      .setting("BURSAR_WEBHOOKS_TO_PRIVATE", "allowed")
      .start();
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final Tenancy tenancy = new Tenancy(DATABASE.database(), 2);
  private final String admin = key(tenancy, ApiKeys.Role.ADMIN);

  @AfterAll
  static void close() {
    API.close();
    DATABASE.close();
  }

  private static String key(Tenancy of, ApiKeys.Role role) {
    return new ApiKeys(DATABASE.database(), new AuditEntries(DATABASE.database()))
        .issue(of.tenantId, role, role.text(), null, null, "test").secret().value();
  }

  private static Json.Obj json(String text) throws IOException {
    try {
      return (Json.Obj) JsonText.parse(text.getBytes(StandardCharsets.UTF_8));
    } catch (JsonText.Malformed e) {
      throw new IOException(text, e);
    }
  }

  private static String text(Json.Obj object, String name) {
    return object.get(name) instanceof Json.Str(var text) ? text : "";
  }

  private String spend(int number) throws IOException, InterruptedException {
    var spend = API.client().post("/v1/spends", tenancy.agentKey,
        tenancy.spend(tenancy.wallets.getFirst(), "1", Tenancy.randomAddress()), "Idempotency-Key", "k" + number);
    assertThat(spend.status()).isEqualTo(201);
    return spend.text("id");
  }

  private void cancel(String spend) throws IOException, InterruptedException {
    assertThat(API.client().post("/v1/spends/" + spend + "/cancel", tenancy.agentKey, Json.object().build()).status())
        .isEqualTo(200);
  }

  /** An open stream of events. */
  private static final class Stream implements AutoCloseable {
    private final List<Json.Obj> events = new CopyOnWriteArrayList<>();
    private final List<String> ids = new CopyOnWriteArrayList<>();
    private final InputStream body;
    private final BufferedReader reader;

    Stream(String key, String query, @Nullable String lastEventId) throws IOException, InterruptedException {
      var request = HttpRequest.newBuilder(API.uri().resolve("/v1/events" + query))
          .header("Accept", "text/event-stream")
          .header("Authorization", "Bearer " + key);
      if (lastEventId != null) {
        request.header("Last-Event-ID", lastEventId);
      }
      var response = HTTP.send(request.build(), BodyHandlers.ofInputStream());
      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.headers().firstValue("Content-Type").orElse("")).startsWith("text/event-stream");
      body = response.body();
      reader = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8));
      assertThat(reader.readLine()).isEqualTo("retry: 1000");
      var _ = Thread.ofVirtual().start(this::read);
    }

    private void read() {
      try {
        for (var line = reader.readLine(); line != null; line = reader.readLine()) {
          if (line.startsWith("id: ")) {
            ids.add(line.substring(4));
          } else if (line.startsWith("data: ")) {
            events.add(json(line.substring(6)));
          }
        }
      } catch (IOException closed) {
        // by the test, or with the service
      }
    }

    List<String> types() {
      return events.stream().map(event -> text(event, "type")).toList();
    }

    void await(int count) {
      Awaitility.await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(20))
          .untilAsserted(() -> assertThat(types()).hasSizeGreaterThanOrEqualTo(count));
    }

    @Override
    public void close() throws IOException {
      body.close(); // not the reader, whose lock is with who waits for the next line
    }
  }

  @Test
  void aStreamGoesOnWhereItBrokeOffAndMissesNothing() throws Exception {
    tenancy.attach(Policy.Target.TENANT, tenancy.tenantId, Tenancy.PERMIT);
    String last;
    try (var stream = new Stream(admin, "?types=spend.*", null)) {
      cancel(spend(1));
      stream.await(2);
      assertThat(stream.types()).containsExactly("spend.authorized", "spend.canceled");
      assertThat(stream.ids).isSorted()
          .hasSameElementsAs(stream.events.stream().map(event -> text(event, "id")).toList());
      last = stream.ids.getLast();
    }
    for (int i = 2; i < 20; i++) {
      cancel(spend(i));
    }
    try (var stream = new Stream(admin, "?types=spend.*", last)) {
      stream.await(36);
      assertThat(stream.types()).hasSize(36);
      assertThat(stream.ids).isSorted();
      assertThat(stream.events.getFirst().get("data")).isInstanceOfSatisfying(Json.Obj.class, data -> {
        assertThat(text(data, "agentId")).isEqualTo(Id.AGENT.text(tenancy.agentId));
        assertThat(text(data, "amount")).isEqualTo("1");
        assertThat(text(data, "asset")).isEqualTo("USDC");
      });
    }
  }

  @Test
  void pagesTellTheSameAsTheStream() throws Exception {
    tenancy.attach(Policy.Target.TENANT, tenancy.tenantId, Tenancy.PERMIT);
    cancel(spend(1));
    var told = new ArrayList<String>();
    var page = API.client().get("/v1/events?limit=2", admin);
    while (true) {
      page.list("data").forEach(event -> told.add(text((Json.Obj) event, "id")));
      if (page.text("nextCursor").isEmpty()) {
        break;
      }
      page = API.client().get("/v1/events?limit=2&cursor=" + page.text("nextCursor"), admin);
    }
    assertThat(told).isSorted().doesNotHaveDuplicates().hasSizeGreaterThan(5);
    try (var stream = new Stream(admin, "", told.getFirst())) {
      stream.await(told.size() - 1);
      assertThat(stream.ids).isEqualTo(told.subList(1, told.size()));
    }
  }

  @Test
  void nobodySeesMoreThanTheRoleMay() throws Exception {
    tenancy.attach(Policy.Target.TENANT, tenancy.tenantId, Tenancy.PERMIT);
    var stranger = new Tenancy(DATABASE.database(), 1);
    cancel(spend(1));
    var client = API.client();
    assertThat(types(client.get("/v1/events?types=spend.*", tenancy.agentKey)))
        .containsExactly("spend.authorized", "spend.canceled");
    assertThat(types(client.get("/v1/events", tenancy.agentKey))).isNotEmpty()
        .allMatch(type -> type.matches("(spend|wallet|agent)\\..*"));
    assertThat(types(client.get("/v1/events", key(tenancy, ApiKeys.Role.AUDITOR)))).contains("policy.attached");
    assertThat(types(client.get("/v1/events", key(stranger, ApiKeys.Role.ADMIN)))).isNotEmpty()
        .doesNotContain("spend.authorized");
    var mine = text((Json.Obj) client.get("/v1/events", admin).list("data").getFirst(), "id");
    var refused = HTTP.send(HttpRequest.newBuilder(API.uri().resolve("/v1/events")).header("Last-Event-ID", mine)
        .header("Authorization", "Bearer " + key(stranger, ApiKeys.Role.ADMIN)).build(), BodyHandlers.ofString());
    assertThat(refused.statusCode()).isEqualTo(400);
    assertThat(refused.body()).contains("#Last-Event-ID");
    assertThat(client.get("/v1/webhooks", tenancy.agentKey).status()).isEqualTo(403);
  }

  private static List<String> types(Client.Answer page) {
    assertThat(page.status()).isEqualTo(200);
    return page.list("data").stream().map(event -> text((Json.Obj) event, "type")).toList();
  }

  /** A receiver that fails often, and remembers what it took. */
  private static final class Receiver implements AutoCloseable {
    private final HttpServer server;
    private final Map<String, List<String>> taken = new ConcurrentHashMap<>();
    private final AtomicInteger requests = new AtomicInteger();
    private final List<String> forged = new CopyOnWriteArrayList<>();
    private volatile byte[] key = new byte[1];

    Receiver() throws IOException {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 50);
      server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
      server.createContext("/", exchange -> {
        var body = exchange.getRequestBody().readAllBytes();
        var headers = exchange.getRequestHeaders();
        var signed = headers.getFirst("webhook-id") + "." + headers.getFirst("webhook-timestamp") + ".";
        if (!("v1," + mac(signed, body)).equals(headers.getFirst("webhook-signature"))) {
          forged.add(signed);
        }
        boolean fails = requests.incrementAndGet() % 3 == 0;
        if (!fails) {
          var event = json(new String(body, StandardCharsets.UTF_8));
          var data = (Json.Obj) java.util.Objects.requireNonNull(event.get("data"));
          taken.computeIfAbsent(text(data, "spendId"), spend -> new CopyOnWriteArrayList<>()).add(text(event, "type"));
        }
        exchange.sendResponseHeaders(fails ? 503 : 204, -1);
        exchange.close();
      });
      server.start();
    }

    private String mac(String prefix, byte[] body) throws IOException {
      try {
        var mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update(prefix.getBytes(StandardCharsets.US_ASCII));
        return Base64.getEncoder().encodeToString(mac.doFinal(body));
      } catch (java.security.GeneralSecurityException e) {
        throw new IOException(e);
      }
    }

    String url() {
      return "http://127.0.0.1:" + server.getAddress().getPort() + "/bursar";
    }

    @Override
    public void close() {
      server.stop(0);
    }
  }

  @Test
  void aWebhookIsToldEverythingInTheOrderOfEachSpendThroughFailuresAndAKill() throws Exception {
    tenancy.attach(Policy.Target.TENANT, tenancy.tenantId, Tenancy.PERMIT);
    try (var receiver = new Receiver()) {
      var made = API.client().post("/v1/webhooks", admin, Json.object().put("url", receiver.url())
          .put("events", Json.strings(List.of("spend.*"))).build());
      assertThat(made.status()).as("%s", made.body()).isEqualTo(201);
      receiver.key = Base64.getDecoder().decode(made.text("secret").substring("whsec_".length()));
      var spends = new ArrayList<String>();
      for (int i = 0; i < 30; i++) {
        spends.add(spend(i));
        cancel(spends.getLast());
        if (i == 15) {
          API.kill();
          API.start();
        }
      }
      // What failed is due in seconds, and this test does not wait for that.
      Awaitility.await().atMost(Duration.ofSeconds(40)).pollInterval(Duration.ofMillis(100)).untilAsserted(() -> {
        DATABASE.database().sql().sql("UPDATE webhook_delivery SET due_at = now() WHERE state = 'pending'").update();
        DATABASE.database().sql().sql("UPDATE webhook SET lease_until = '-infinity', quiet_until = '-infinity'")
            .update();
        assertThat(spends).allSatisfy(spend -> assertThat(receiver.taken.getOrDefault(spend, List.of()))
            .contains("spend.canceled"));
      });
      assertThat(receiver.forged).isEmpty();
      assertThat(receiver.taken.keySet()).containsExactlyInAnyOrderElementsOf(spends);
      // The same event may come twice; a later one never before an earlier one.
      assertThat(receiver.taken.values()).allSatisfy(types -> assertThat(types.stream().distinct().toList())
          .containsExactly("spend.authorized", "spend.canceled"));
      var log = API.client().get("/v1/webhooks/" + made.text("id") + "/deliveries?state=delivered&limit=500", admin);
      Awaitility.await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> assertThat(API.client()
          .get("/v1/webhooks/" + made.text("id") + "/deliveries?state=delivered&limit=500", admin).list("data"))
          .hasSize(60));
      assertThat(log.status()).isEqualTo(200);
      assertThat(API.client().get("/v1/webhooks", key(new Tenancy(DATABASE.database(), 1), ApiKeys.Role.ADMIN))
          .list("data")).isEmpty();
    }
  }
}
