package io.bursar.rehearsal;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.policy.Match;
import io.bursar.policy.Rule;
import io.bursar.spend.SpendFacts;

/**
 * All requests that some policies can tell apart, except by amount and time: one representative for each class. Two payees (or
 * hosts, categories, agents, wallets) that every rule treats alike are one class, with the number of them.
 */
final class RequestClasses {
  /** The most classes that are looked at. */
  static final int CLASSES_MAX = 20_000;

  private static final UUID TENANT = MadeUp.id("tenant");

  /** There is more to look at than somebody can be kept waiting for. */
  static final class TooMany extends RuntimeException {
    TooMany(String message) {
      super(message, null, false, false);
    }
  }

  /** Refuses what would take too long: classes of requests, each asked of so many rules. */
  static void refuseTooMany(long classes, long rules, long most) {
    if (classes * rules > most) {
      throw new TooMany("the policy tells apart " + classes + " kinds of requests with " + rules
          + " rules, more than an analysis looks at");
    }
  }

  /**
   * Requests that are treated alike.
   *
   * @param representative one of them, of one base unit
   * @param payees and {@code hosts}, {@code categories}: how many different ones there are in it; absent for any number
   */
  record RequestClass(SpendFacts representative, @Nullable Integer payees, @Nullable Integer hosts,
      @Nullable Integer categories) {}

  /** A value for all that are treated like it. */
  private record Alike<T>(T value, @Nullable Integer number) {}

  private RequestClasses() {}

  /**
   * The classes of one agent and one wallet after the other: each list holds what a single wallet can ask for.
   *
   * @param rules of all policies that are looked at
   * @param assets that are registered
   * @throws TooMany if there are too many
   */
  static List<List<RequestClass>> of(Collection<Rule> rules, List<Asset> assets) {
    var matches = rules.stream().map(Rule::match).distinct().toList();
    var payees = payees(matches);
    var hosts = texts(matches, RequestClasses::hosts, "host.invalid");
    var categories = texts(matches, match -> match.categories() == null ? Set.of() : match.categories(), "(any other)");
    var methods = methods(matches);
    var agents = ids(matches, Match::agents, "agent");
    var wallets = ids(matches, Match::wallets, "wallet");
    // Not as a long, which a policy with some thousands of names of each kind would run over.
    var number = Stream.of(assets, payees, hosts, categories, methods, agents, wallets)
        .map(list -> BigInteger.valueOf(list.size())).reduce(BigInteger.ONE, BigInteger::multiply);
    if (number.compareTo(BigInteger.valueOf(CLASSES_MAX)) > 0) {
      throw new TooMany("the policy tells apart " + number + " kinds of requests, more than the " + CLASSES_MAX
          + " that an analysis looks at");
    }
    List<List<RequestClass>> lists = new ArrayList<>();
    for (var agent : agents) {
      for (var wallet : wallets) {
        List<RequestClass> classes = new ArrayList<>();
        assets.forEach(asset -> payees.forEach(payee -> hosts.forEach(host -> categories.forEach(category -> methods
            .forEach(method -> classes.add(new RequestClass(
                new SpendFacts(TENANT, agent, wallet, asset, BigInteger.ONE, payee.value(), method,
                    category.value().isEmpty() ? null : category.value(), host.value().isEmpty() ? null : host.value(),
                    false, false),
                payee.number(), host.number(), category.number())))))));
        lists.add(classes);
      }
    }
    return lists;
  }

  private static List<Alike<Address>> payees(List<Match> matches) {
    Set<Address> named = new TreeSet<>();
    var lists = matches.stream().map(Match::payees).filter(payees -> payees != null).map(Match.Payees::addresses)
        .distinct().toList();
    lists.forEach(named::addAll);
    Map<List<Boolean>, List<Address>> alike = named.stream().collect(Collectors.groupingBy(
        address -> lists.stream().map(list -> list.contains(address)).toList(), LinkedHashMap::new,
        Collectors.toList()));
    List<Alike<Address>> result = new ArrayList<>();
    alike.values().forEach(group -> result.add(new Alike<>(group.getFirst(), group.size())));
    var other = MadeUp.address("payee");
    result.add(new Alike<>(other, null));
    return result;
  }

  private static Set<String> hosts(Match match) {
    return match.hosts() == null ? Set.of() : match.hosts();
  }

  /** One text for each kind that some match tells apart: named ones, one below each domain, another one, and none (empty). */
  private static List<Alike<String>> texts(List<Match> matches, Function<Match, Set<String>> of, String other) {
    Set<String> named = new LinkedHashSet<>();
    matches.forEach(match -> named.addAll(of.apply(match)));
    List<Alike<String>> result = new ArrayList<>();
    if (named.isEmpty()) {
      result.add(new Alike<>(other, null));
      result.add(new Alike<>("", 1));
      return result;
    }
    var lists = matches.stream().map(of).filter(list -> !list.isEmpty()).distinct().toList();
    Map<List<Boolean>, Alike<String>> alike = new HashMap<>();
    for (var text : named) {
      boolean many = text.startsWith("*.");
      var value = many ? "any-other" + text.substring(1) : text;
      alike.merge(lists.stream().map(list -> takes(list, value)).toList(), new Alike<>(value, many ? null : 1),
          (first, second) -> new Alike<>(first.value(),
              first.number() == null || second.number() == null ? null : first.number() + second.number()));
    }
    result.addAll(alike.values());
    result.add(new Alike<>(other, null));
    result.add(new Alike<>("", 1));
    return result;
  }

  private static boolean takes(Set<String> list, String value) {
    return list.contains(value)
        || list.stream().anyMatch(each -> each.startsWith("*.") && value.endsWith(each.substring(1)));
  }

  private static List<String> methods(List<Match> matches) {
    Set<String> methods = new TreeSet<>(Set.of(SpendFacts.TRANSFER));
    matches.forEach(match -> methods.addAll(match.methods() == null ? Set.of() : match.methods()));
    return List.copyOf(methods);
  }

  private static List<UUID> ids(List<Match> matches, Function<Match, @Nullable Set<UUID>> of, String kind) {
    Set<UUID> ids = new LinkedHashSet<>();
    for (var match : matches) {
      var named = of.apply(match);
      if (named != null) {
        ids.addAll(named);
      }
    }
    ids.add(MadeUp.id(kind));
    return List.copyOf(ids);
  }
}
