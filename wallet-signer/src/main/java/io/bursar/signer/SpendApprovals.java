package io.bursar.signer;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

import io.bursar.approval.ApprovalText;
import io.bursar.approval.ApproverKey;
import io.bursar.approval.ApproverRoll;
import io.bursar.approval.PasskeyAssertion;
import io.bursar.approval.Verdict;
import io.bursar.permit.Bytes;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.Word;
import io.bursar.policy.Rule.GroupThreshold;
import io.bursar.spend.Id;

/**
 * Counts who has approved exactly this spend: one text, which must say what the intent says, and under it the words of different
 * approvers with different keys, each counted in those groups that the text asks and the signer knows it to be in.
 */
final class SpendApprovals {
  /** Of one spend. */
  sealed interface Result {
    /** By group, who has approved. */
    record Counted(Map<String, Set<UUID>> byGroup) implements Result {
      /** Nobody. */
      static final Counted NONE = new Counted(Map.of());

      /** The groups that do not reach their threshold. */
      List<GroupThreshold> missing(List<GroupThreshold> asked) {
        return asked.stream()
            .filter(group -> byGroup.getOrDefault(group.group(), Set.of()).size() < group.threshold()).toList();
      }
    }

    /** Something that is given is no approval of this spend. */
    record Invalid(SignerRefusal reason, String message) implements Result {}
  }

  /** Whether a word is its approver's, and of which groups. */
  private record Credit(List<String> groups, Optional<ApproverKey> key) {}

  private SpendApprovals() {}

  /**
   * Counts.
   *
   * @param policies under which the spend was decided, as the record says
   */
  static Result count(Approved approved, PaymentIntent intent, Set<ApprovalText.PolicyLine> policies,
      Approvers approvers) {
    if (policies.isEmpty()) {
      return invalid("the decision names no policy that asks");
    }
    ApprovalText text;
    try {
      text = ApprovalText.parse(new String(approved.text().toByteArray(), StandardCharsets.ISO_8859_1));
    } catch (IllegalArgumentException malformed) {
      return invalid("the text is none: " + malformed.getMessage());
    }
    var wrong = difference(text, intent, policies);
    if (!wrong.isEmpty()) {
      return invalid("the text is of another spend or decision, by its lines " + wrong);
    }
    var asked = text.groups().stream().map(ApprovalText.GroupLine::group).toList();
    var byGroup = new HashMap<String, Set<UUID>>();
    var people = new HashSet<UUID>();
    var keys = new HashSet<ApproverKey>();
    for (var word : approved.words()) {
      var credit = approvers.believesApi()
          ? asTold(word, text)
          : approvers.roll(intent.tenantId()).flatMap(roll -> byRoll(word, text, roll));
      if (credit.isEmpty()) {
        return invalid("the word of " + Id.APPROVER.text(word.approverId())
            + " is not signed by a key that this signer knows to be this approver's");
      }
      if (!people.add(word.approverId()) || !credit.get().key().map(keys::add).orElse(true)) {
        return invalid("one approver, or one key, speaks twice");
      }
      credit.get().groups().stream().filter(asked::contains)
          .forEach(group -> byGroup.computeIfAbsent(group, _ -> new HashSet<>()).add(word.approverId()));
    }
    return new Result.Counted(byGroup);
  }

  /** The lines in which the text is not of this spend. */
  private static List<String> difference(ApprovalText text, PaymentIntent intent,
      Set<ApprovalText.PolicyLine> policies) {
    var transfer = intent.transfer();
    var money = new ApprovalText.Money("eip155:" + intent.chainId(), text.money().asset(), transfer.token(),
        text.money().decimals(), transfer.amount());
    return text.differsFrom(new ApprovalText(Verdict.APPROVE, intent.tenantId(), intent.spendId(),
        text.authorizationId(), intent.keyId(), money, transfer.payee(), text.purpose(), List.copyOf(policies),
        text.groups(), text.expiresAt()));
  }

  /** In development: by whatever key the API names. */
  private static Optional<Credit> asTold(Word word, ApprovalText text) {
    if (word.key().isEmpty()) {
      return word.signature().size() == 0 ? Optional.of(new Credit(word.groups(), Optional.empty())) : Optional.empty();
    }
    try {
      var key = ApproverKey.parse(word.key());
      return proves(word, text, key, Optional.empty())
          ? Optional.of(new Credit(word.groups(), Optional.of(key)))
          : Optional.empty();
    } catch (IllegalArgumentException noKey) {
      return Optional.empty();
    }
  }

  private static Optional<Credit> byRoll(Word word, ApprovalText text, ApproverRoll roll) {
    var person = roll.approvers().get(word.approverId());
    if (person == null || !person.credentialId().equals(word.passkey().map(passkey -> passkey.credentialId()))
        || (person.credentialId().isPresent() && roll.passkeyDomain().isEmpty())
        || !proves(word, text, person.key(), roll.passkeyDomain())) {
      return Optional.empty();
    }
    return Optional.of(new Credit(roll.groupsOf(word.approverId()), Optional.of(person.key())));
  }

  private static boolean proves(Word word, ApprovalText text, ApproverKey key, Optional<String> domain) {
    Bytes signature = word.signature();
    return word.passkey().isEmpty()
        ? key.verifies(text.bytes(), signature)
        : new PasskeyAssertion(word.passkey().get().authenticatorData(), word.passkey().get().clientData(), signature)
            .proves(text, key, domain);
  }

  private static Result.Invalid invalid(String why) {
    return new Result.Invalid(SignerRefusal.APPROVAL_INVALID, "an approval does not count: " + why);
  }
}
