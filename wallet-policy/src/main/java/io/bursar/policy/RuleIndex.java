package io.bursar.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.bursar.spend.SpendFacts;

/**
 * Finds those rules of a large policy that may have something to say of a request. Each rule is kept under the values of one
 * part of its match: the first of payee, wallet, agent, host, category, asset and chain that it restricts. It is left out only
 * where the request has another value there, so that the rule cannot match.
 */
final class RuleIndex {
  /** A policy with up to so many rules is not indexed, and its decisions trace every rule. */
  static final int RULES_MIN = 64;

  /** Rules by the value under which they are kept. */
  private final Map<Object, List<Integer>> payees = new HashMap<>();
  private final Map<Object, List<Integer>> wallets = new HashMap<>();
  private final Map<Object, List<Integer>> agents = new HashMap<>();
  private final Map<Object, List<Integer>> hosts = new HashMap<>();
  private final Map<Object, List<Integer>> categories = new HashMap<>();
  private final Map<Object, List<Integer>> assets = new HashMap<>();
  private final Map<Object, List<Integer>> chains = new HashMap<>();

  /** Rules that look at a host or category at all: a request that names none cannot be told from theirs. */
  private final List<Integer> anyHost = new ArrayList<>();
  private final List<Integer> anyCategory = new ArrayList<>();

  /** Rules that no value leaves out. */
  private final List<Integer> always = new ArrayList<>();

  private final RuleInForce[] rules;

  RuleIndex(RuleInForce[] rules) {
    this.rules = rules;
    for (int i = 0; i < rules.length; i++) {
      keep(i, rules[i].rule.match());
    }
  }

  private void keep(int number, Match match) {
    var payee = match.payees();
    if (payee != null && payee.listed() && payee.set() == null) {
      keep(number, payees, payee.addresses());
    } else if (match.wallets() != null) {
      keep(number, wallets, match.wallets());
    } else if (match.agents() != null) {
      keep(number, agents, match.agents());
    } else if (match.hosts() != null && match.hosts().stream().noneMatch(host -> host.startsWith("*."))) {
      keep(number, hosts, match.hosts());
      anyHost.add(number);
    } else if (match.categories() != null) {
      keep(number, categories, match.categories());
      anyCategory.add(number);
    } else if (match.assets() != null) {
      keep(number, assets, match.assets());
    } else if (match.chains() != null) {
      keep(number, chains, match.chains());
    } else {
      always.add(number);
    }
  }

  private static void keep(int number, Map<Object, List<Integer>> index, Set<?> values) {
    values.forEach(value -> index.computeIfAbsent(value, key -> new ArrayList<>()).add(number));
  }

  /** The rules that may have something to say, in the order of the policy. */
  RuleInForce[] rules(SpendFacts facts) {
    List<List<Integer>> found = new ArrayList<>(8);
    int size = always.size();
    found.add(always);
    size += add(payees.get(facts.payee()), found);
    size += add(wallets.get(facts.walletId()), found);
    size += add(agents.get(facts.agentId()), found);
    size += add(facts.host() == null ? anyHost : hosts.get(facts.host()), found);
    size += add(facts.category() == null ? anyCategory : categories.get(facts.category()), found);
    size += add(assets.get(facts.asset().symbol()), found);
    size += add(chains.get(facts.asset().chain()), found);
    var numbers = new int[size];
    int next = 0;
    for (var list : found) {
      for (int number : list) {
        numbers[next++] = number;
      }
    }
    Arrays.sort(numbers);
    var chosen = new RuleInForce[size];
    for (int i = 0; i < size; i++) {
      chosen[i] = rules[numbers[i]];
    }
    return chosen;
  }

  private static int add(@Nullable List<Integer> list, List<List<Integer>> found) {
    if (list == null || list.isEmpty()) {
      return 0;
    }
    found.add(list);
    return list.size();
  }
}
