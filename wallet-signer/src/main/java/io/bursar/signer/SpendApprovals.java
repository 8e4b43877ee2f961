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
import io.bursar.money.Asset;
import io.bursar.permit.Bytes;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.SignerRequest.Word;
import io.bursar.policy.Rule.GroupThreshold;
import io.bursar.signer.LoggedAuthorization.Finding.Shown;
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

  /**
   * What the signer knows by itself.
   *
   * @param asset that the intent's token is, where the ceilings list it
   */
  record Known(Approvers approvers, Optional<Asset> asset) {}

  private SpendApprovals() {}

  /**
   * Counts what is given, and holds it against what the recorded decision asked.
   *
   * @param shown the decision
   */
  static Result count(Evidence evidence, Shown shown, PaymentIntent intent, Known known) {
    var counted = evidence.approved().isEmpty()
        ? Result.Counted.NONE
        : count(evidence.approved().get(), intent, shown.policies(), known);
    if (counted instanceof Result.Counted given && !given.missing(shown.asked()).isEmpty()) {
      return new Result.Invalid(SignerRefusal.APPROVALS_MISSING,
          "these groups have not signed in such numbers: " + given.missing(shown.asked()));
    }
    return counted;
  }

  private static Result count(Approved approved, PaymentIntent intent, Set<ApprovalText.PolicyLine> policies,
      Known known) {
    var approvers = known.approvers;
    if (policies.isEmpty()) {
      return invalid("the decision names no policy that asks");
    }
    ApprovalText text;
    try {
      text = ApprovalText.parse(new String(approved.text().toByteArray(), StandardCharsets.ISO_8859_1));
    } catch (IllegalArgumentException malformed) {
      return invalid("the text is none: " + malformed.getMessage());
    }
    var wrong = difference(text, intent, policies, known.asset);
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
      Set<ApprovalText.PolicyLine> policies, Optional<Asset> asset) {
    var transfer = intent.transfer();
    // What a person saw as the amount depends on the decimals: only where they are unknown is the text believed.
    var money = new ApprovalText.Money("eip155:" + intent.chainId(),
        asset.map(Asset::symbol).orElse(text.money().asset()), transfer.token(),
        asset.map(Asset::decimals).orElse(text.money().decimals()), transfer.amount());
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
