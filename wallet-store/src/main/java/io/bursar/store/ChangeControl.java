package io.bursar.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApprovalText;
import io.bursar.approval.ChangeText;
import io.bursar.approval.Proof;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Digest32;
import io.bursar.spend.Id;

/**
 * Changes of the rules that need a quorum. What is under control is not done when it is asked for: it becomes a request, which
 * names the state it would change and the state it would leave, and is done when enough members of a group have signed exactly
 * that. Taking the control away, or changing the group that holds it, needs the same quorum.
 *
 * <p>Break-glass: an administrator may have a request done without a quorum, {@link #BREAK_GLASS_DELAY} later, unless a member of the
 * group rejects it until then.
 */
public final class ChangeControl {
  /** How long a request waits for its quorum. */
  public static final Duration LIFE = Duration.ofDays(7);
  /** How long a member of the group has to stop a change that is to be made without a quorum. */
  public static final Duration BREAK_GLASS_DELAY = Duration.ofHours(24);

  private static final String PENDING = "pending";
  private static final int LATE_AT_ONCE = 100;

  /** Whose quorum a scope needs. */
  public record Control(Change.Scope scope, UUID groupId, int threshold) {}

  /**
   * A change that was asked for.
   *
   * @param content {@code change}, {@code before} and {@code after}; what is signed is the hash of it
   * @param breakGlassAt when it is done without a quorum; absent unless that was asked for
   */
  public record Request(UUID id, String kind, Json.Obj content, UUID groupId, int threshold, String requestedBy,
      @Nullable UUID requester, String status, Instant createdAt, Instant expiresAt, @Nullable Instant breakGlassAt,
      Instant updatedAt) {
    Digest32 hash() {
      return Digest32.sha256(JsonText.canonical(content));
    }
  }

  /** One approver's verdict on a change, over the text as it is now. */
  public record Given(UUID approverId, Verdict verdict, @Nullable String thumbprint, @Nullable String comment,
      Instant at) {}

  /** Who asks for a change: as the record names it, and the approver who holds the key, if that was said. */
  public record Requester(String actor, @Nullable UUID approverId) {}

  /** What became of a verdict on a change. */
  public sealed interface Result {
    record Taken(Request request) implements Result {}

    record Unknown() implements Result {}

    record NotPending(String status) implements Result {}

    record NotAsked() implements Result {}

    record Initiator() implements Result {}

    record AlreadySpoken() implements Result {}

    record NoKey() implements Result {}

    record Unsigned() implements Result {}

    record InvalidSignature() implements Result {}

    record CounterBehind() implements Result {}
  }

  private final Database database;
  private final AuditEntries audit;
  private final Approvers approvers;
  private final ChangeStates states;
  private final boolean keysRequired;

  public ChangeControl(Database database, AuditEntries audit, PolicyStore policies, Approvers approvers,
      Directory directory, boolean keysRequired) {
    this.database = database;
    this.audit = audit;
    this.approvers = approvers;
    this.states = new ChangeStates(database, policies, approvers, directory);
    this.keysRequired = keysRequired;
  }

  /** What is under control. */
  public List<Control> controls(UUID tenantId) {
    return Arrays.stream(Change.Scope.values()).flatMap(scope -> states.control(tenantId, scope).stream()).toList();
  }

  /**
   * Asks for a change. If it is under control it becomes a request; otherwise the caller does it, and nothing has happened here.
   *
   * @throws Directory.NothingThere if it changes what is not there
   */
  public Optional<Request> ask(UUID tenantId, Change change, Requester requester) {
    return database.inTransaction(() -> {
      audit.lock(tenantId);
      return control(tenantId, change).map(control -> insert(tenantId, change, control, requester));
    });
  }

  /** Puts a scope under control, or takes it away; a request if it is under control now. */
  public Optional<Request> set(UUID tenantId, Change.Control change, Requester requester) {
    return database.inTransaction(() -> {
      var asked = ask(tenantId, change, requester);
      if (asked.isEmpty()) {
        var _ = states.content(tenantId, change); // or there is no such group
        var _ = states.apply(audit, tenantId, change, requester.actor());
      }
      return asked;
    });
  }

  /** Whose quorum a change needs: that of its scope, or of the group that it would change the hold of. */
  private Optional<Control> control(UUID tenantId, Change change) {
    var own = states.control(tenantId, change.scope());
    return own.isPresent() ? own : switch (change) {
      case Change.Members(var groupId, var _) ->
        strictest(controls(tenantId).stream().filter(control -> control.groupId().equals(groupId)));
      case Change.Key(var approverId, var _) -> strictest(controls(tenantId).stream()
          .filter(
              control -> approvers.group(tenantId, control.groupId()).orElseThrow().members().contains(approverId)));
      case Change.Publish _,Change.Attach _,Change.Detach _,Change.Principals _,Change.Control _ -> Optional.empty();
    };
  }

  /** Of several controls that a change would get around, the one that asks for the most members. */
  private static Optional<Control> strictest(Stream<Control> controls) {
    return controls.max(Comparator.comparingInt(Control::threshold));
  }

  private Request insert(UUID tenantId, Change change, Control control, Requester requester) {
    var content = states.content(tenantId, change);
    var slot = audit.next(tenantId);
    var id = Ids.next(slot.at());
    database.sql().sql("""
        INSERT INTO change_request (tenant_id, change_id, kind, content, group_id, threshold, requested_by, requester, status,
          created_at, expires_at, updated_at)
        VALUES (:tenant, :id, :kind, :content, :group, :threshold, :by, :requester, 'pending', :at, :expires, :at)
        """).param("tenant", tenantId).param("id", id).param("kind", change.kind())
        .param("content", JsonText.canonical(content)).param("group", control.groupId())
        .param("threshold", control.threshold()).param("by", requester.actor())
        .param("requester", requester.approverId(), java.sql.Types.OTHER).param("at", Directory.utc(slot.at()))
        .param("expires", Directory.utc(slot.at().plus(LIFE))).update();
    var request = find(tenantId, id).orElseThrow();
    audit.write(slot, "change.requested", id, requester.actor(), Json.object().put("change", Id.CHANGE.text(id))
        .put("kind", request.kind()).put("content", content).put("hash", request.hash().toString()).build());
    return request;
  }

  public Optional<Request> find(UUID tenantId, UUID changeId) {
    return database.sql().sql(SELECT + " AND change_id = :id").param("tenant", tenantId).param("id", changeId)
        .query((row, n) -> request(row)).optional();
  }

  /** The requests, the newest first. */
  public Page<Request> list(UUID tenantId, Page.Request page) {
    return Page.of(database.sql().sql(SELECT + " AND change_id < :after ORDER BY change_id DESC LIMIT :limit")
        .param("tenant", tenantId).param("after", page.after().orElse(new UUID(-1, -1)))
        .param("limit", page.limit() + 1).query((row, n) -> request(row)).list(), page.limit(), Request::id);
  }

  private static final String SELECT = """
      SELECT change_id, kind, content, group_id, threshold, requested_by, requester, status, created_at, expires_at, break_glass_at,
             updated_at
      FROM change_request WHERE tenant_id = :tenant""";

  private static Request request(ResultSet row) throws SQLException {
    return new Request(Directory.uuid(row, "change_id"), row.getString("kind"),
        SpendStore.entry(row.getBytes("content")), Directory.uuid(row, "group_id"), row.getInt("threshold"),
        row.getString("requested_by"), row.getObject("requester", UUID.class), row.getString("status"),
        Directory.instant(row, "created_at"), Directory.instant(row, "expires_at"),
        SpendStore.nullableInstant(row, "break_glass_at"), Directory.instant(row, "updated_at"));
  }

  /** What a request would change, as lines for people. */
  public List<String> diff(UUID tenantId, Request request) {
    return states.diff(tenantId, request.content());
  }

  /** What approves a request, as of now: another when its group has changed. */
  public ChangeText text(UUID tenantId, Request request) {
    var group = approvers.group(tenantId, request.groupId()).orElseThrow();
    return new ChangeText(Verdict.APPROVE, tenantId, request.id(), request.kind(), request.hash(),
        request.requestedBy(), new ApprovalText.GroupLine(group.name(), request.threshold(), group.revision()),
        request.expiresAt());
  }

  /** Who has said what over the text as it is now; what was said before its group changed is dismissed. */
  public List<Given> given(UUID tenantId, Request request) {
    var approve = text(tenantId, request);
    return database.sql().sql("""
        SELECT DISTINCT ON (approver_id) approver_id, text, thumbprint, comment, at FROM change_verdict
        WHERE tenant_id = :tenant AND change_id = :id AND text IN (:approve, :reject) ORDER BY approver_id, at
        """).param("tenant", tenantId).param("id", request.id()).param("approve", approve.toString())
        .param("reject", approve.with(Verdict.REJECT).toString())
        .query((row, n) -> new Given(Directory.uuid(row, "approver_id"),
            ChangeText.parse(row.getString("text")).verdict(), row.getString("thumbprint"), row.getString("comment"),
            Directory.instant(row, "at")))
        .list();
  }

  /** One approver's word on a change. */
  public record Word(UUID tenantId, UUID changeId, UUID approverId, Verdict verdict, @Nullable Proof proof,
      @Nullable String comment) {}

  /** Takes one approver's word, with all that follows from it, in one transaction. */
  public Result speak(Word word, String actor) {
    return database.inTransaction(() -> {
      var now = audit.lock(word.tenantId());
      var found = find(word.tenantId(), word.changeId());
      if (found.isEmpty()) {
        return new Result.Unknown();
      }
      var request = found.get();
      var refused = refusal(word, request, now);
      if (refused != null) {
        return refused;
      }
      var key = approvers.find(word.tenantId(), word.approverId()).map(Approvers.Approver::key).orElse(null);
      var said = text(word.tenantId(), request).with(word.verdict());
      var unproven = unproven(word, said, key);
      if (unproven != null) {
        return unproven;
      }
      record(word, said, key, actor);
      if (word.verdict() == Verdict.REJECT) {
        end(word.tenantId(), request, "rejected", actor);
      } else if (approving(word.tenantId(), request) >= request.threshold()) {
        execute(word.tenantId(), request, "quorum");
      }
      return new Result.Taken(find(word.tenantId(), word.changeId()).orElseThrow());
    });
  }

  private @Nullable Result refusal(Word word, Request request, Instant now) {
    // What will be done without a quorum can be stopped until it is done, also when the time for a quorum is over.
    boolean stops = word.verdict() == Verdict.REJECT && request.breakGlassAt() != null
        && request.breakGlassAt().isAfter(now);
    if (!request.status().equals(PENDING) || !(stops || request.expiresAt().isAfter(now))) {
      return new Result.NotPending(request.status().equals(PENDING) ? "expired" : request.status());
    }
    if (word.approverId().equals(request.requester()) && word.verdict() == Verdict.APPROVE) {
      return new Result.Initiator();
    }
    if (!approvers.group(word.tenantId(), request.groupId()).orElseThrow().members().contains(word.approverId())) {
      return new Result.NotAsked();
    }
    boolean spoken = given(word.tenantId(), request).stream()
        .anyMatch(given -> given.approverId().equals(word.approverId()));
    // Who has approved may still stop what is to be done without the quorum.
    return spoken && !(request.breakGlassAt() != null && word.verdict() == Verdict.REJECT)
        ? new Result.AlreadySpoken()
        : null;
  }

  private @Nullable Result unproven(Word word, ChangeText said, Approvers.@Nullable Key key) {
    if (key == null) {
      return keysRequired ? new Result.NoKey() : null;
    }
    if (word.proof() == null) {
      return new Result.Unsigned();
    }
    return switch (word.proof().worth(said, key.registered())) {
      case PROVEN -> null;
      case NOTHING -> new Result.InvalidSignature();
      case COUNTER_BEHIND -> new Result.CounterBehind();
    };
  }

  private void record(Word word, ChangeText said, Approvers.@Nullable Key key, String actor) {
    var slot = audit.next(word.tenantId());
    var evidence = approvers.evidence(word.tenantId(), key, word.proof());
    database.sql().sql("""
        INSERT INTO change_verdict (tenant_id, change_id, approver_id, text, signature, thumbprint, assertion, comment, at)
        VALUES (:tenant, :change, :approver, :text, :signature, :thumbprint, :assertion, :comment, :at)
        """).param("tenant", word.tenantId()).param("change", word.changeId()).param("approver", word.approverId())
        .param("text", said.toString()).param("signature", evidence.signature())
        .param("thumbprint", evidence.thumbprint())
        .param("assertion", evidence.assertionText())
        .param("comment", word.comment()).param("at", Directory.utc(slot.at())).update();
    audit.write(slot, word.verdict() == Verdict.APPROVE ? "change.approved" : "change.refused", word.changeId(), actor,
        Json.object().put("change", Id.CHANGE.text(word.changeId()))
            .put("approver", Id.APPROVER.text(word.approverId())).put("text", said.toString())
            .put("key", evidence.thumbprint())
            .put("signature", evidence.signature()).put("passkey", evidence.assertion()).build());
  }

  private long approving(UUID tenantId, Request request) {
    return given(tenantId, request).stream().filter(given -> given.verdict() == Verdict.APPROVE)
        .filter(given -> !given.approverId().equals(request.requester())).count();
  }

  /** Does a change, if what it would change, and whose quorum that needs, is still as it was when it was asked for. */
  private void execute(UUID tenantId, Request request, String by) {
    var change = Change.parse((Json.Obj) Objects.requireNonNull(request.content().get("change")));
    var actor = Id.CHANGE.text(request.id());
    boolean same;
    try {
      same = control(tenantId, change)
          .filter(held -> held.groupId().equals(request.groupId()) && held.threshold() == request.threshold())
          .isPresent()
          && states.content(tenantId, change).equals(request.content());
    } catch (Directory.NothingThere gone) {
      same = false;
    }
    if (!same) {
      end(tenantId, request, "outdated", by);
    } else {
      end(tenantId, request, states.apply(audit, tenantId, change, actor) ? "executed" : "failed", by);
    }
  }

  private void end(UUID tenantId, Request request, String status, String actor) {
    var slot = audit.next(tenantId);
    database.sql().sql("""
        UPDATE change_request SET status = :status, updated_at = :at
        WHERE tenant_id = :tenant AND change_id = :id AND status = 'pending'
        """).param("status", status).param("at", Directory.utc(slot.at())).param("tenant", tenantId)
        .param("id", request.id()).update();
    audit.write(slot, "change." + status, request.id(), actor,
        Json.object().put("change", Id.CHANGE.text(request.id())).put("hash", request.hash().toString()).build());
  }

  /**
   * Has a request done without a quorum, {@link #BREAK_GLASS_DELAY} from now, unless a member of its group rejects it.
   *
   * @return empty if there is no such request; unchanged if it is not pending or that was asked for before
   */
  public Optional<Request> breakGlass(UUID tenantId, UUID changeId, String actor) {
    return database.inTransaction(() -> {
      var now = audit.lock(tenantId);
      var found = find(tenantId, changeId);
      if (found.isEmpty() || !found.get().status().equals(PENDING) || found.get().breakGlassAt() != null
          || !found.get().expiresAt().isAfter(now)) {
        return found;
      }
      var slot = audit.next(tenantId);
      var at = slot.at().plus(BREAK_GLASS_DELAY);
      database.sql().sql("""
          UPDATE change_request SET break_glass_at = :due, updated_at = :at WHERE tenant_id = :tenant AND change_id = :id
          """).param("due", Directory.utc(at)).param("at", Directory.utc(slot.at())).param("tenant", tenantId)
          .param("id", changeId).update();
      audit.write(slot, "change.break_glass", changeId, actor, Json.object().put("change", Id.CHANGE.text(changeId))
          .put("hash", found.get().hash().toString()).put("executesAt", at.toString()).build());
      return find(tenantId, changeId);
    });
  }

  /** Does what is to be done without a quorum and was not stopped in time, and ends the wait of what has expired. */
  public void settleDue() {
    record Due(UUID tenantId, UUID changeId) {}
    var due = database.sql().sql("""
        SELECT tenant_id, change_id FROM change_request
        WHERE status = 'pending' AND coalesce(break_glass_at, expires_at) <= clock_timestamp() LIMIT :most
        """).param("most", LATE_AT_ONCE)
        .query((row, n) -> new Due(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "change_id"))).list();
    for (var each : due) {
      database.inTransaction(() -> {
        audit.lock(each.tenantId());
        var request = find(each.tenantId(), each.changeId()).orElseThrow();
        if (request.status().equals(PENDING) && request.breakGlassAt() != null) {
          execute(each.tenantId(), request, "break-glass");
        } else if (request.status().equals(PENDING)) {
          end(each.tenantId(), request, "expired", "settlement");
        }
      });
    }
  }
}
