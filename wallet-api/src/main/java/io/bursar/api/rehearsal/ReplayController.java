package io.bursar.api.rehearsal;

import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.json.Json;
import io.bursar.policy.Replay;
import io.bursar.spend.Id;
import io.bursar.store.PolicyStore;
import io.bursar.store.RecordedDecisions;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** {@code POST /v1/replay}: every recorded decision of a period is decided again and compared byte for byte. */
@RestController
public final class ReplayController {
  private static final int SHOWN_MAX = 20;

  private final RecordedDecisions decisions;
  private final PolicyStore policies;
  private final Clock clock;

  ReplayController(RecordedDecisions decisions, PolicyStore policies, Clock clock) {
    this.decisions = decisions;
    this.policies = policies;
    this.clock = clock;
  }

  private record Wanted(@Nullable Instant from, @Nullable Instant to, @Nullable UUID agentId) {}

  @PostMapping("/v1/replay")
  void replay(@AuthenticationPrincipal Caller caller, HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    var wanted = Bodies.parse(Bodies.read(request), reader -> new Wanted(History.time(reader, "from"),
        History.time(reader, "to"), reader.parsed("agentId", 64, text -> Id.AGENT.parse(text)
            .orElseThrow(() -> new IllegalArgumentException("is not the identifier of an agent")))));
    var stretch = decisions.stretch(caller.tenantId(), wanted.from() == null ? Instant.EPOCH : wanted.from(),
        wanted.to() == null ? clock.instant().plusSeconds(1) : wanted.to());
    LineStream.answer(response, stretch.size(), lines -> {
      var tally = new Tally(new Replay(History.policies(policies, caller.tenantId())));
      decisions.read(caller.tenantId(), stretch, Optional.ofNullable(wanted.agentId()), tally::add,
          read -> lines.progress(read - stretch.first() + 1));
      lines.write(tally.report());
    });
  }

  private static final class Tally {
    private final Replay replay;
    private final List<Json> shown = new ArrayList<>();
    private long decided;
    private long same;
    private long different;
    private long impossible;

    Tally(Replay replay) {
      this.replay = replay;
    }

    void add(RecordedDecisions.Row row) {
      decided++;
      switch (replay.again(row.payload())) {
        case Replay.Same() -> same++;
        case Replay.Different(var pointer, var recorded, var again) -> {
          different++;
          show(Json.object().put("pointer", pointer).put("recorded", recorded).put("again", again), row);
        }
        case Replay.Impossible(var why) -> {
          impossible++;
          show(Json.object().put("why", why), row);
        }
      }
    }

    private void show(Json.Builder difference, RecordedDecisions.Row row) {
      if (shown.size() < SHOWN_MAX) {
        shown.add(difference.put("spend", Id.SPEND.text(row.spendId())).put("seq", row.seq()).build());
      }
    }

    Json report() {
      return Json.object().put("type", "report").put("decisions", decided).put("same", same).put("different", different)
          .put("impossible", impossible).put("examples", new Json.Arr(shown)).build();
    }
  }
}
