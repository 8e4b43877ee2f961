package io.bursar.rehearsal;

import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.policy.Decision;
import io.bursar.spend.SpendText;

/**
 * Reads the lines of a ledger:
 *
 * <pre>
 * [at] TIME spend AMOUNT [ASSET] [to PAYEE] [by AGENT] [from WALLET] [on CHAIN] [host HOST] [for CATEGORY] [saying "PURPOSE"]
 *     [about "REFERENCE"] [as NAME] → EXPECTED
 * [at] TIME approve NAME → EXPECTED
 * [at] TIME reject NAME | void NAME
 * [at] TIME freeze [WALLET] | unfreeze [WALLET] | suspend [AGENT] | resume [AGENT]
 * </pre>
 *
 * with TIME {@code 10:00} (UTC, on the first day), {@code 2026-11-23T10:00:00Z} or {@code +90m} ({@code s}, {@code m}, {@code h},
 * {@code d}) after the line before; EXPECTED {@code allow}, {@code deny [CODE…]}, {@code approval} or {@code expired}, then
 * {@code max AMOUNT|none} and {@code retry TIME|never} where the advice matters too. {@code ->} will do for {@code →}.
 */
final class LedgerText {
  static final String PAYEE = "payee";
  static final String AGENT = "agent";
  static final String WALLET = "wallet";

  private static final Pattern STEP = Pattern.compile("\\+([0-9]{1,6})([smhd])");
  private static final Pattern AMOUNT = Pattern.compile("[0-9].*");
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.:*-]{1,128}");
  private static final Set<String> WORDS = Set.of("to", "by", "from", "on", "host", "for", "saying", "about",
      "as");
  private static final Set<String> FREE = Set.of("saying", "about");
  private static final Pattern WORD = Pattern.compile("\"[^\"]*\"|\\S+");
  private static final List<String> EFFECTS = List.of("allow", "deny", "approval", "expired");
  private static final Set<String> CODES = Stream.of(Decision.Code.values()).map(Enum::name)
      .collect(Collectors.toUnmodifiableSet());

  private final Set<String> labels = new HashSet<>();

  /** A line that cannot be read, and why. */
  static final class Unreadable extends Exception {
    Unreadable(String message) {
      super(message, null, false, false);
    }
  }

  /** One line that is neither empty nor a comment; lines of one ledger must be read in order. */
  Step read(int line, String text) throws Unreadable {
    var words = new ArrayDeque<>(
        WORD.matcher(text.replace("->", "→").replace("→", " → ")).results().map(MatchResult::group).toList());
    if ("at".equals(words.peek())) {
      words.pop();
    }
    var when = when(next(words, "a time"));
    var verb = next(words,
        "what happens: `spend`, `approve`, `reject`, `void`, `freeze`, `unfreeze`, `suspend` or `resume`");
    var step = switch (verb) {
      case "spend" -> spend(line, when, words);
      case "approve" -> new Step.Approve(line, when, label(words), expected(words));
      case "reject" -> new Step.Reject(line, when, label(words));
      case "void" -> new Step.GiveBack(line, when, label(words));
      case "freeze", "unfreeze" ->
        new Step.Freeze(line, when, words.isEmpty() ? WALLET : name(words), verb.equals("freeze"));
      case "suspend", "resume" ->
        new Step.Suspend(line, when, words.isEmpty() ? AGENT : name(words), verb.equals("suspend"));
      default -> throw new Unreadable("`" + verb
          + "` is nothing that can happen; there are `spend`, `approve`, `reject`, `void`, `freeze`, `unfreeze`, `suspend` and `resume`");
    };
    if (!words.isEmpty()) {
      throw new Unreadable("`" + String.join(" ", words) + "` is left over at the end");
    }
    return step;
  }

  private Step spend(int line, Step.When when, Deque<String> words) throws Unreadable {
    var amount = amount(next(words, "an amount such as `12.50`"));
    var asset = words.isEmpty() || WORDS.contains(words.peek()) || words.peek().equals("→")
        ? Optional.<String>empty()
        : Optional.of(words.pop());
    if (asset.isPresent() && !Asset.SYMBOL.matcher(asset.get()).matches()) {
      throw new Unreadable("`" + asset.get() + "` is not the symbol of an asset");
    }
    Map<String, String> given = new HashMap<>();
    while (!words.isEmpty() && !words.peek().equals("→")) {
      var word = words.pop();
      if (!WORDS.contains(word)) {
        throw new Unreadable(
            "`" + word
                + "` is not understood; there are `to`, `by`, `from`, `on`, `host`, `for`, `saying`, `about` and `as`, and then `→`");
      }
      if (given.put(word, FREE.contains(word) ? free(words) : name(words)) != null) {
        throw new Unreadable("`" + word + "` is given twice");
      }
    }
    var label = Optional.ofNullable(given.get("as"));
    if (label.isPresent() && !labels.add(label.get())) {
      throw new Unreadable("`" + label.get() + "` is the name of an earlier spend");
    }
    return new Step.Spend(line, when, amount, asset, Optional.ofNullable(given.get("on")),
        given.getOrDefault("to", PAYEE), given.getOrDefault("by", AGENT), given.getOrDefault("from", WALLET),
        given.get("host"), given.get("for"), new SpendText(given.get("saying"), given.get("about"), null), label,
        expected(words));
  }

  private static BigDecimal amount(String text) throws Unreadable {
    try {
      Amount.parse(text, Asset.DECIMALS_MAX);
      return new BigDecimal(text);
    } catch (IllegalArgumentException e) {
      throw new Unreadable("the amount `" + text + "` " + e.getMessage());
    }
  }

  private static Step.Expected expected(Deque<String> words) throws Unreadable {
    if (words.isEmpty() || !words.pop().equals("→")) {
      throw new Unreadable("`→` and what must be decided are missing");
    }
    var effect = next(words, "`allow`, `deny` or `approval` after `→`");
    if (!EFFECTS.contains(effect)) {
      throw new Unreadable("`" + effect + "` is no decision; there are `allow`, `deny`, `approval` and `expired`");
    }
    var codes = new ArrayList<String>();
    while (!words.isEmpty() && !words.peek().equals("max") && !words.peek().equals("retry")) {
      var code = words.pop();
      if (!CODES.contains(code)) {
        throw new Unreadable("`" + code + "` is not the code of a reason, such as `LIMIT_EXCEEDED`");
      }
      codes.add(code);
    }
    var max = Optional.<String>empty();
    var retry = Optional.<String>empty();
    while (!words.isEmpty()) {
      var word = words.pop();
      if (word.equals("max") && max.isEmpty()) {
        var text = next(words, "an amount or `none` after `max`");
        max = Optional.of(text.equals("none") ? text : plain(amount(text)));
      } else if (word.equals("retry") && retry.isEmpty()) {
        var text = next(words, "a time or `never` after `retry`");
        if (!text.equals("never") && when(text) instanceof Step.When.After) {
          throw new Unreadable("`retry` needs a time such as `11:00` or `2026-11-23T11:00:00Z`, or `never`");
        }
        retry = Optional.of(text);
      } else {
        throw new Unreadable("`" + word + "` is not understood after the decision");
      }
    }
    return new Step.Expected(effect, codes, max, retry);
  }

  static String plain(BigDecimal amount) {
    return amount.signum() == 0 ? "0" : amount.stripTrailingZeros().toPlainString();
  }

  private String label(Deque<String> words) throws Unreadable {
    var label = name(words);
    if (!labels.contains(label)) {
      throw new Unreadable("no earlier spend is called `" + label + "`; name one by `as " + label + "`");
    }
    return label;
  }

  private static String name(Deque<String> words) throws Unreadable {
    var name = next(words, "a name");
    if (!NAME.matcher(name).matches()) {
      throw new Unreadable("`" + name + "` is not a name: up to 128 letters, digits and `_.:*-`");
    }
    return name;
  }

  /** Words in quotes, or one without. */
  private static String free(Deque<String> words) throws Unreadable {
    var text = next(words, "a text in quotes");
    return text.startsWith("\"") && text.endsWith("\"") && text.length() > 1
        ? text.substring(1, text.length() - 1)
        : text;
  }

  private static String next(Deque<String> words, String what) throws Unreadable {
    if (words.isEmpty() || words.peek().isEmpty()) {
      throw new Unreadable("the line ends where " + what + " should stand");
    }
    return words.pop();
  }

  static Step.When when(String text) throws Unreadable {
    var step = STEP.matcher(text);
    try {
      if (step.matches()) {
        long number = Long.parseLong(step.group(1));
        return new Step.When.After(switch (step.group(2)) {
          case "s" -> Duration.ofSeconds(number);
          case "m" -> Duration.ofMinutes(number);
          case "h" -> Duration.ofHours(number);
          default -> Duration.ofDays(number);
        });
      }
      return AMOUNT.matcher(text).matches() && text.toUpperCase(Locale.ROOT).contains("T")
          ? new Step.When.At(Instant.parse(text))
          : new Step.When.OfFirstDay(LocalTime.parse(text));
    } catch (DateTimeException e) {
      throw new Unreadable("`" + text + "` is not a time such as `10:00`, `2026-11-23T10:00:00Z` or `+1h`");
    }
  }
}
