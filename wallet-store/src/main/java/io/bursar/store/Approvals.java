package io.bursar.store;

import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApprovalText;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.Proof;
import io.bursar.approval.Verdict;
import io.bursar.json.Json;
import io.bursar.permit.Bytes;
import io.bursar.policy.Rule;
import io.bursar.spend.Id;
import io.bursar.store.ApprovalRounds.DismissedBy;

/**
 * What approvers say of a spend that waits for them: a signature over exactly that spend, as it was decided and of whom it was
 * asked. At quorum the spend is decided again, with its own reservation set aside; a denial then wins. A change of the policies in
 * force, or of a group that is asked, begins a new round, in which nobody has spoken yet.
 */
public final class Approvals {
  /** What became of a verdict. */
  public sealed interface Result {
    /** It was taken; the spend may wait for more, or have gone on. */
    record Taken() implements Result {}

    record UnknownSpend() implements Result {}

    /** The spend does not wait for anybody. */
    record NotAwaiting(String status) implements Result {}

    /** The approver is in none of the groups that are asked, or not any more. */
    record NotAsked() implements Result {}

    /** It is the approver's own agent that asks. */
    record Initiator() implements Result {}

    record AlreadySpoken() implements Result {}

    /** The time for approvals was over; the spend has expired. */
    record Expired() implements Result {}

    /** Nobody may approve without a key here, and the approver has none. */
    record NoKey() implements Result {}

    /** The approver has a key, and did not sign. */
    record Unsigned() implements Result {}

    /** The signature is not the approver's over this spend's text. */
    record InvalidSignature(String why) implements Result {}

    /** The passkey's counter has not gone on since its last assertion: there may be a copy of it. */
    record CounterBehind() implements Result {}

    /** The signature is the approver's, but for another spend. */
    record OtherSpend() implements Result {}

    /** The signature is the approver's over a text in which these lines are not this spend's. */
    record Altered(List<String> lines) implements Result {}

    /** The policies in force had changed: the spend was decided again, and the verdict was not taken. */
    record DismissedByPolicy() implements Result {}

    /** A group that is asked has changed since the verdict was signed. */
    record DismissedByGroup() implements Result {}

    /** Enough had spoken, but decided again the spend needed others or more, since the verdict was signed. */
    record DismissedByDecision() implements Result {}
  }

  /**
   * One approver's word on one spend.
   *
   * @param proof over {@link ApprovalText} with this verdict; absent where the approver did not sign
   * @param signedText what the approver says was signed, so that a refusal can say what is wrong with it
   */
  public record Word(UUID tenantId, UUID spendId, UUID approverId, Verdict verdict, @Nullable Proof proof,
      @Nullable ApprovalText signedText, @Nullable String comment) {}

  /** What there is to sign. */
  public sealed interface Question {
    /**
     * A spend waits.
     *
     * @param text what approves it
     * @param salt of the commitment in the text, so that the approver can see that the purpose shown is the one recorded
     */
    record Asked(ApprovalText text, @Nullable Bytes salt, Spend spend) implements Question {}

    record UnknownSpend() implements Question {}

    record NotAwaiting(String status) implements Question {}
  }

  private static final String WAITS = "awaiting_approval";

  private final Database database;
  private final AuditEntries audit;
  private final SpendStore spends;
  private final Reservations reservations;
  private final boolean keysRequired;
  private final Approvers approvers;
  private final ApprovalRounds rounds;
  private final Redecisions redecisions;

  /** @param keysRequired whether an approver without a key may say nothing; otherwise its API key alone speaks for it */
  public Approvals(Database database, AuditEntries audit, SpendStore spends, Reservations reservations,
      CounterKeeping counters, boolean keysRequired) {
    this.database = database;
    this.audit = audit;
    this.spends = spends;
    this.reservations = reservations;
    this.keysRequired = keysRequired;
    this.approvers = new Approvers(database, audit);
    this.rounds = new ApprovalRounds(database, audit);
    this.redecisions = new Redecisions(database, audit, reservations, counters);
  }

  /** What an approver of this spend would sign now. */
  public Question question(UUID tenantId, UUID spendId) {
    var found = spends.find(tenantId, spendId);
    if (found.isEmpty()) {
      return new Question.UnknownSpend();
    }
    var spend = found.get();
    return spend.status().equals(WAITS)
        ? new Question.Asked(rounds.text(spend), rounds.salt(spend).map(Bytes::of).orElse(null), spend)
        : new Question.NotAwaiting(spend.status());
  }

  /** Takes one approver's word, with all that follows from it, in one transaction. */
  public Result speak(Word word, String actor) {
    return database.inTransaction(() -> {
      var now = audit.lock(word.tenantId());
      var found = spends.find(word.tenantId(), word.spendId());
      if (found.isEmpty()) {
        return new Result.UnknownSpend();
      }
      var spend = found.get();
      var refused = refusal(word, spend);
      if (refused != null) {
        return refused;
      }
      if (!Objects.requireNonNull(spend.payment()).waitsBeyond(now)) {
        end(audit.nextChanging(word.tenantId(), true, false), spend, "expired", "settlement");
        return new Result.Expired();
      }
      var text = rounds.text(spend);
      if (!inForce(spend).equals(Set.copyOf(text.policies()))) {
        decideAgain(spend, text, Map.of(), DismissedBy.POLICY, actor);
        return new Result.DismissedByPolicy();
      }
      var key = approvers.find(word.tenantId(), word.approverId()).map(Approvers.Approver::key).orElse(null);
      var unproven = unproven(word, spend, text, key);
      if (unproven != null) {
        return unproven;
      }
      record(word, spend, text, key, actor);
      if (word.verdict() == Verdict.REJECT) {
        end(audit.nextChanging(word.tenantId(), true, false), spend, "rejected", actor);
      } else {
        goOnAtQuorum(spend, text, actor);
      }
      return new Result.Taken();
    });
  }

  /** Why the approver has nothing to say here, whatever the signature; null if it has. */
  private @Nullable Result refusal(Word word, Spend spend) {
    if (spend.approvals().stream().anyMatch(given -> given.approverId().equals(word.approverId()))) {
      return new Result.AlreadySpoken();
    }
    if (spend.status().equals("expired")) {
      return new Result.Expired();
    }
    if (!spend.status().equals(WAITS)) {
      return new Result.NotAwaiting(spend.status());
    }
    if (Principals.has(database, word.tenantId(), spend.request().agentId(), word.approverId())) {
      return new Result.Initiator();
    }
    return isAsked(word, spend) ? null : new Result.NotAsked();
  }

  private boolean isAsked(Word word, Spend spend) {
    var names = ApprovalRounds.groups(spend).stream().map(Rule.GroupThreshold::group).toArray(String[]::new);
    return database.sql().sql("""
        SELECT EXISTS (SELECT FROM approver_group g
                       JOIN approver_group_member m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id
                       WHERE g.tenant_id = :tenant AND g.name = ANY (:names) AND m.approver_id = :approver)
        """).param("tenant", word.tenantId()).param("names", names).param("approver", word.approverId())
        .query(Boolean.class).single();
  }

  /** Why the word is not proven to be the approver's; null if it is, or need not be. */
  private @Nullable Result unproven(Word word, Spend spend, ApprovalText text, Approvers.@Nullable Key registered) {
    if (registered == null) {
      return keysRequired ? new Result.NoKey() : null;
    }
    var proof = word.proof();
    if (proof == null) {
      return new Result.Unsigned();
    }
    var key = registered.registered();
    var said = text.with(word.verdict());
    return switch (proof.worth(said, key)) {
      case PROVEN -> null;
      case COUNTER_BEHIND -> new Result.CounterBehind();
      case NOTHING -> {
        var signed = word.signedText();
        yield signed != null && proves(proof, signed, key)
            ? differing(spend, said, signed)
            : guessed(word, spend, said, key, proof);
      }
    };
  }

  private static boolean proves(Proof proof, ApprovalText text, Proof.Registered key) {
    return proof.worth(text, key) != Proof.Worth.NOTHING;
  }

  /** What a signature may have been meant for, when nobody says what was signed. */
  private Result guessed(Word word, Spend spend, ApprovalText said, Proof.Registered key, Proof proof) {
    if ((proof.assertion() == null) != (key.passkey() == null)) {
      return new Result.InvalidSignature(key.passkey() == null
          ? "is a passkey's, and the approver has registered a key that signs the text itself"
          : "is none of the passkey that the approver has registered");
    }
    if (proves(proof, said.with(word.verdict().other()), key)) {
      return new Result.InvalidSignature("is over the verdict `" + word.verdict().other().text() + "`");
    }
    for (var round : rounds.dismissed(spend)) {
      if (proves(proof, round.text().with(word.verdict()), key)) {
        return dismissed(round.by());
      }
    }
    boolean usedElsewhere = database.sql().sql("""
        SELECT EXISTS (SELECT FROM approval WHERE tenant_id = :tenant AND approver_id = :approver
                       AND signature = :signature AND thumbprint IS NOT NULL AND spend_id <> :spend)
        """).param("tenant", word.tenantId()).param("approver", word.approverId())
        .param("signature", ApproverKey.base64url(proof.signature())).param("spend", spend.id()).query(Boolean.class)
        .single();
    return usedElsewhere
        ? new Result.OtherSpend()
        : new Result.InvalidSignature("is not the one of the approver's key over the text of this spend as it is now");
  }

  /** What is wrong with a text that the approver did sign, but that is not what is asked. */
  private Result differing(Spend spend, ApprovalText said, ApprovalText signed) {
    if (!signed.tenantId().equals(said.tenantId()) || !signed.spendId().equals(said.spendId())) {
      return new Result.OtherSpend();
    }
    for (var round : rounds.dismissed(spend)) {
      if (round.text().with(signed.verdict()).equals(signed)) {
        return dismissed(round.by());
      }
    }
    var lines = signed.differsFrom(said);
    return lines.equals(List.of("group")) ? new Result.DismissedByGroup() : new Result.Altered(lines);
  }

  private static Result dismissed(DismissedBy by) {
    return switch (by) {
      case POLICY -> new Result.DismissedByPolicy();
      case GROUP -> new Result.DismissedByGroup();
      case DECISION -> new Result.DismissedByDecision();
    };
  }

  private void record(Word word, Spend spend, ApprovalText text, Approvers.@Nullable Key key, String actor) {
    var slot = audit.next(word.tenantId());
    var said = text.with(word.verdict());
    var evidence = approvers.evidence(word.tenantId(), key, word.proof());
    database.sql().sql("""
        INSERT INTO approval (tenant_id, spend_id, round, approver_id, verdict, text, signature, assertion, thumbprint, comment, at)
        SELECT tenant_id, spend_id, round, :approver, :verdict, :text, :signature, :assertion, :thumbprint, :comment, :at
        FROM payment WHERE tenant_id = :tenant AND spend_id = :spend
        """).param("approver", word.approverId()).param("verdict", word.verdict().text())
        .param("text", said.toString()).param("signature", evidence.signature())
        .param("thumbprint", evidence.thumbprint())
        .param("assertion", evidence.assertionText())
        .param("comment", word.comment()).param("at", Directory.utc(slot.at())).param("tenant", word.tenantId())
        .param("spend", word.spendId()).update();
    audit.write(slot, word.verdict() == Verdict.APPROVE ? "approval.given" : "approval.refused", word.spendId(), actor,
        Json.object().put("spend", Id.SPEND.text(word.spendId())).put("approver", Id.APPROVER.text(word.approverId()))
            .put("text", said.toString()).put("key", evidence.thumbprint()).put("signature", evidence.signature())
            .put("passkey", evidence.assertion())
            .put("authorizes", HexFormat.of().formatHex(spend.authorization().leafHash())).build());
  }

  private void goOnAtQuorum(Spend spend, ApprovalText text, String actor) {
    var given = given(spend);
    var asked = ApprovalRounds.groups(spend);
    if (asked.stream().allMatch(group -> given.getOrDefault(group.group(), 0) >= group.threshold())) {
      given.keySet().retainAll(asked.stream().map(Rule.GroupThreshold::group).toList());
      decideAgain(spend, text, given, DismissedBy.DECISION, actor);
    }
  }

  /** By group, how many different members have approved in the present round, the initiator's own principals left out. */
  private Map<String, Integer> given(Spend spend) {
    var given = new HashMap<String, Integer>();
    database.sql().sql("""
        SELECT g.name, count(DISTINCT v.approver_id) AS members
        FROM approval v
        JOIN payment p ON p.tenant_id = v.tenant_id AND p.spend_id = v.spend_id AND p.round = v.round
        JOIN approver_group_member m ON m.tenant_id = v.tenant_id AND m.approver_id = v.approver_id
        JOIN approver_group g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id
        WHERE v.tenant_id = :tenant AND v.spend_id = :spend AND v.verdict = 'approve'
          AND NOT EXISTS (SELECT FROM agent_principal o WHERE o.tenant_id = v.tenant_id AND o.agent_id = :agent
                          AND o.approver_id = v.approver_id)
        GROUP BY g.name
        """).param("tenant", spend.tenantId()).param("spend", spend.id()).param("agent", spend.request().agentId())
        .query(row -> {
          given.put(row.getString("name"), row.getInt("members"));
        });
    return given;
  }

  /** Decides again; if the spend still waits then, a new round has begun and the old one is noted with what ended it. */
  private void decideAgain(Spend spend, ApprovalText text, Map<String, Integer> given, DismissedBy by, String actor) {
    LaneStop.refuseIfStopped(database, spend.tenantId());
    var slot = audit.nextChanging(spend.tenantId(), true, false);
    if (redecisions.decideAgain(slot, spend, given, actor).equals(WAITS)) {
      rounds.note(slot, spend, text, by);
    }
  }

  /**
   * Ends the wait of spends whose time for approvals is over.
   *
   * @param most how many at the most
   * @return how many
   */
  public int expireDue(int most) {
    record Due(UUID tenantId, UUID spendId) {}
    var due = database.sql().sql("""
        SELECT tenant_id, spend_id FROM payment WHERE state = 'awaiting_approval' AND expires_at <= clock_timestamp() LIMIT :most
        """).param("most", most)
        .query((row, n) -> new Due(Directory.uuid(row, "tenant_id"), Directory.uuid(row, "spend_id"))).list();
    for (var each : due) {
      database.inTransaction(() -> {
        Instant now = audit.lock(each.tenantId());
        var spend = spends.find(each.tenantId(), each.spendId()).orElseThrow();
        if (spend.status().equals(WAITS) && !Objects.requireNonNull(spend.payment()).waitsBeyond(now)) {
          end(audit.nextChanging(each.tenantId(), true, false), spend, "expired", "settlement");
        }
      });
    }
    return due.size();
  }

  /** Ends a wait without a payment; all of the reservation goes back. */
  private void end(AuditEntries.Slot slot, Spend spend, String state, String actor) {
    reservations.giveBack(slot, spend.id(), Reservations.GiveBack.ALL);
    database.sql().sql("""
        UPDATE payment SET state = :state, updated_at = :at
        WHERE tenant_id = :tenant AND spend_id = :spend AND state = 'awaiting_approval'
        """).param("state", state).param("at", Directory.utc(slot.at())).param("tenant", spend.tenantId())
        .param("spend", spend.id()).update();
    audit.write(slot, "spend." + state, spend.id(), actor,
        Json.object().put("spend", Id.SPEND.text(spend.id())).build());
  }

  private Set<ApprovalText.PolicyLine> inForce(Spend spend) {
    return reservations.standing(spend.tenantId(), spend.request().walletId()).policies().stream()
        .map(policy -> new ApprovalText.PolicyLine(policy.attachedTo(), policy.policyId(), policy.policy().version()))
        .collect(Collectors.toSet());
  }
}
