package io.bursar.api.spends;

import java.io.IOException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.json.JsonReader;
import io.bursar.json.JsonReader.Fault;
import io.bursar.money.Address;
import io.bursar.spend.Id;
import io.bursar.store.Lane.Outcome;
import io.bursar.store.PaymentMove;
import io.bursar.store.PaymentStore;
import io.bursar.store.Spend;
import io.bursar.store.SpendStore;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** {@code /v1/spends}: parse, decide in the lane, answer. */
@RestController
public final class SpendController {
  private static final int BATCH_MAX = 100;
  private static final int BATCH_BYTES_MAX = 512 * 1024;
  private static final Pattern WAIT = Pattern.compile("(?i)(?:^|[,;\\s])wait\\s*=\\s*\"?([0-9]{1,3})\"?(?:$|[,;\\s])");
  private static final int WAIT_SECONDS_MAX = 60;
  private static final Duration LOOK_EVERY = Duration.ofMillis(100);

  private final SpendBody bodies;
  private final SpendDesk desk;
  private final LaneQueue queue;
  private final SpendStore spends;
  private final PaymentStore payments;
  private final SpendView view;

  SpendController(SpendBody bodies, SpendDesk desk, LaneQueue queue, SpendStore spends, PaymentStore payments,
      SpendView view) {
    this.bodies = bodies;
    this.desk = desk;
    this.queue = queue;
    this.spends = spends;
    this.payments = payments;
    this.view = view;
  }

  @PostMapping("/v1/spends")
  void create(@AuthenticationPrincipal Caller caller, HttpServletRequest request, HttpServletResponse response)
      throws IOException, InterruptedException {
    var key = SpendBody.requireKey(request);
    var prefer = request.getHeader("Prefer");
    switch (desk.decide(caller.tenantId(), List.of(parse(Bodies.read(request), key, caller, isRepeat(caller))))
        .getFirst()) {
      case Outcome.Decided(var spend) -> Bodies.write(response, 201, view.of(waited(spend, prefer), caller));
      case Outcome.Replayed(var id) -> {
        response.setHeader("Idempotent-Replayed", "true");
        Bodies.write(response, 200, view.of(waited(find(caller, id), prefer), caller));
      }
      case Outcome.KeyReused(var id) -> throw reused(key, id);
    }
  }

  @PostMapping("/v1/spends/dry-run")
  ResponseEntity<byte[]> dryRun(@AuthenticationPrincipal Caller caller, HttpServletRequest request)
      throws SQLException {
    var rehearsed = queue.rehearse(caller.tenantId(), parse(Bodies.read(request), "dry-run", caller, _ -> false));
    return Bodies.ok(view.rehearsed(rehearsed, caller));
  }

  /** Up to {@value #BATCH_MAX} requests, each decided by itself and in their order; each answer is what it would have got alone. */
  @PostMapping("/v1/spends/batch")
  ResponseEntity<byte[]> createBatch(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var requests = parseBatch(Bodies.read(request, BATCH_BYTES_MAX), caller);
    var outcomes = desk.decide(caller.tenantId(), requests);
    var answers = new ArrayList<Json>();
    for (int i = 0; i < outcomes.size(); i++) {
      answers.add(switch (outcomes.get(i)) {
        case Outcome.Decided(var spend) -> view.of(spend, caller);
        case Outcome.Replayed(var id) -> view.of(find(caller, id), caller);
        case Outcome.KeyReused(var id) -> reused(requests.get(i).idempotencyKey(), id).toJson();
      });
    }
    return Bodies.ok(new Json.Arr(answers));
  }

  private Predicate<String> isRepeat(Caller caller) {
    return key -> spends.isUsed(caller.tenantId(), Objects.requireNonNull(caller.agentId()), key);
  }

  private Spend.Request parse(Json body, String key, Caller caller, Predicate<String> isRepeat) {
    var faults = new ArrayList<Fault>();
    var request = bodies.read(JsonReader.of(body, "", faults), Optional.of(key), body, caller, isRepeat);
    Bodies.refuse(faults);
    return Objects.requireNonNull(request);
  }

  private List<Spend.Request> parseBatch(Json body, Caller caller) {
    var faults = new ArrayList<Fault>();
    var reader = JsonReader.of(body, "", faults);
    var items = reader.present("spends") ? reader.array("spends", BATCH_MAX) : null;
    reader.refuseUnknown();
    var requests = new ArrayList<Spend.Request>();
    var keys = new HashSet<String>();
    for (int i = 0; items != null && i < items.size(); i++) {
      var item = JsonReader.of(items.get(i), "/spends/" + i, faults);
      var read = bodies.read(item, Optional.empty(), withoutKey(items.get(i)), caller, isRepeat(caller));
      if (read != null) {
        requests.add(read);
        if (!keys.add(read.idempotencyKey())) {
          item.fault("idempotencyKey", "stands twice in this batch");
        }
      }
    }
    Bodies.refuse(faults);
    return requests;
  }

  /** The request as it would have been sent alone, so that it is the same request. */
  private static Json withoutKey(Json item) {
    if (!(item instanceof Json.Obj object)) {
      return item;
    }
    var members = new LinkedHashMap<>(object.members());
    members.remove("idempotencyKey");
    return new Json.Obj(members);
  }

  private static Problem reused(String key, UUID spendId) {
    return Problem.of(ProblemCode.IDEMPOTENCY_KEY_REUSED,
        "the key `" + key + "` was used for another request, " + Id.SPEND.text(spendId)
            + "; send a new key for a new payment");
  }

  private Spend find(Caller caller, UUID spendId) {
    return spends.find(caller.tenantId(), spendId).filter(spend -> visible(caller, spend))
        .orElseThrow(() -> Problem.notFound("spend"));
  }

  private static boolean visible(Caller caller, Spend spend) {
    return caller.onlyAgent().map(agent -> agent.equals(spend.request().agentId())).orElse(true);
  }

  /** With {@code Prefer: wait=n}: the spend once it is final, or as it is after so many seconds. */
  private Spend waited(Spend spend, @Nullable String prefer) throws InterruptedException {
    var wanted = prefer == null ? null : WAIT.matcher(prefer);
    if (wanted == null || !wanted.find()) {
      return spend;
    }
    long deadline = System.nanoTime()
        + Duration.ofSeconds(Math.min(Integer.parseInt(wanted.group(1)), WAIT_SECONDS_MAX)).toNanos();
    var current = spend;
    while (!SpendView.isFinal(current) && System.nanoTime() < deadline) {
      Thread.sleep(LOOK_EVERY);
      current = spends.find(spend.tenantId(), spend.id()).orElseThrow();
    }
    return current;
  }

  @GetMapping("/v1/spends/{id}")
  ResponseEntity<byte[]> get(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    return Bodies.ok(view.of(find(caller, spendId(id)), caller));
  }

  @GetMapping("/v1/spends")
  ResponseEntity<byte[]> list(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var query = new Query(request);
    var agent = query.id("agentId", Id.AGENT);
    var filter = new SpendStore.Filter(caller.onlyAgent().or(() -> agent), query.id("walletId", Id.WALLET),
        query.get("status", SpendView::status),
        query.get("payee", Address::parse), query.get("asset", Query::symbol), query.get("from", Query::time),
        query.get("to", Query::time),
        Optional.empty());
    var page = query.page();
    query.refuseFaults();
    if (caller.onlyAgent().isPresent() && agent.isPresent() && !agent.equals(caller.onlyAgent())) {
      throw Problem.notFound("agent");
    }
    return Bodies.ok(Query.list(spends.list(caller.tenantId(), filter, page), spend -> view.of(spend, caller)));
  }

  @PostMapping("/v1/spends/{id}/cancel")
  ResponseEntity<byte[]> cancel(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var spend = find(caller, spendId(id));
    var answer = payments.cancel(caller.tenantId(), spend.id(), caller.actor());
    if (answer instanceof PaymentMove.Cancel.TooLate) {
      answer = payments.requestCancel(caller.tenantId(), spend.id(), caller.actor());
    }
    return switch (answer) {
      case PaymentMove.Cancel.Canceled() -> Bodies.ok(view.of(find(caller, spend.id()), caller));
      case PaymentMove.Cancel.Requested() -> Bodies.accepted(view.of(find(caller, spend.id()), caller));
      case PaymentMove.Cancel.TooLate(var state) -> throw tooLate(state, find(caller, spend.id()));
      case PaymentMove.Cancel.NotFound() ->
        throw Problem.of(ProblemCode.NOT_CANCELABLE, "the spend is `denied`; there is nothing to cancel");
    };
  }

  private static Problem tooLate(String state, Spend spend) {
    var payment = spend.payment();
    return Problem.of(ProblemCode.NOT_CANCELABLE, "the spend is `" + state + "`; " + (SpendView.isFinal(spend)
        ? payment != null && payment.cancelRequestedAt() != null && !state.equals("canceled")
            ? "its cancellation was asked for too late: the chain took the transfer first"
            : "nothing can change that"
        : "it has just moved; try again"));
  }

  @PostMapping("/v1/spends/{id}/erase-text")
  ResponseEntity<byte[]> eraseText(@AuthenticationPrincipal Caller caller, @PathVariable("id") String id) {
    var spend = find(caller, spendId(id));
    payments.eraseText(caller.tenantId(), spend.id(), caller.actor());
    return Bodies.ok(view.of(find(caller, spend.id()), caller));
  }

  private static UUID spendId(String text) {
    return Id.SPEND.parse(text).orElseThrow(() -> Problem.notFound("spend"));
  }
}
