package io.bursar.store.events;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

import io.bursar.json.Json;

/** How entries of the record are called as events, and which of them somebody wants to be told. */
public final class EventTypes {
  /** Every type that there is. A kind of entry that is not named here is an event of its own name, for those who want all. */
  public static final Set<String> KNOWN = Set.copyOf(Arrays.asList("""
      spend.authorized spend.awaiting_approval spend.denied spend.prepared spend.signed spend.broadcast spend.replaced
      spend.confirmed spend.reverted spend.failed spend.expired spend.rejected spend.canceled spend.cancel_requested
      spend.cancel_signed spend.not_relayed spend.text_erased
      approval.given approval.refused approval.dismissed
      alarm.raised signer.refused log.stopped log.resumed log.published log.unpublished lane.stopped lane.resumed
      wallet.created wallet.frozen wallet.unfrozen wallet.key_frozen wallet.rotated wallet.archived wallet.reopened
      wallet.funded wallet.funding_rules_set relayer.refilled deposit.received agent.created agent.suspended agent.resumed agent.principals_changed
      change.requested change.approved change.refused change.break_glass change.executed change.rejected change.expired
      change.outdated change.failed change_control.set
      policy.version_created policy.version_repeated policy.published policy.attached policy.detached
      value_set.version_created value_set.version_repeated asset.registered
      api_key.issued api_key.revoked approver.created approver.key_changed approver_group.created
      approver_group.members_changed
      webhook.created webhook.deleted webhook.enabled webhook.disabled webhook.replayed""".split("\\s+")));

  /** The most patterns of one selection. */
  public static final int PATTERNS_MAX = 50;

  private EventTypes() {}

  static String of(String kind, Json.Obj entry) {
    if (kind.equals("authorization")) {
      return switch (effect(entry)) {
        case "allow" -> "spend.authorized";
        case "require_approval" -> "spend.awaiting_approval";
        default -> "spend.denied";
      };
    }
    if (kind.startsWith("payment.")) {
      return "spend." + kind.substring("payment.".length());
    }
    return kind.startsWith("approvals.") ? "approval." + kind.substring("approvals.".length()) : kind;
  }

  private static String effect(Json.Obj entry) {
    return entry.get("decision") instanceof Json.Obj decision && decision.get("effect") instanceof Json.Str(var effect)
        ? effect
        : "";
  }

  /** Which events are wanted: {@code *}, all of a family such as {@code spend.*}, or one type. */
  public record Selection(Set<String> patterns) {
    public static final Selection ALL = new Selection(Set.of("*"));

    public Selection(Collection<String> patterns) {
      this(Set.copyOf(patterns));
    }

    public boolean includes(String type) {
      return patterns.contains("*") || patterns.contains(type)
          || patterns.contains(type.substring(0, type.indexOf('.') + 1) + "*");
    }

    /** Sorted. */
    public List<String> texts() {
      return List.copyOf(new TreeSet<>(patterns));
    }

    /**
     * Reads patterns that are separated by commas.
     *
     * @throws IllegalArgumentException if one of them can never match
     */
    public static Selection parse(String text) {
      return new Selection(Arrays.stream(text.split(",", -1)).map(Selection::pattern).collect(Collectors.toSet()));
    }

    /**
     * Reads one pattern.
     *
     * @throws IllegalArgumentException if it can never match
     */
    public static String pattern(String text) {
      boolean family = text.endsWith(".*") && KNOWN.stream()
          .anyMatch(type -> type.startsWith(text.substring(0, text.length() - 1)));
      boolean known = family || text.equals("*") || KNOWN.contains(text);
      if (!known) {
        throw new IllegalArgumentException(
            "must be `*`, a family such as `spend.*`, or a type of event such as `spend.confirmed`");
      }
      return text;
    }
  }
}
