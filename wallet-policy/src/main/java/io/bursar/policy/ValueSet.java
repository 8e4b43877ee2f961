package io.bursar.policy;

import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import java.util.regex.Pattern;

import io.bursar.money.Address;

/**
 * One version of a named set of values, which never changes. A policy names it as {@code name@version} and so stays what it
 * is when the set gets another version. Looking a value up takes the same time however many there are.
 */
public final class ValueSet {
  /** The most values in one version. */
  public static final int VALUES_MAX = 100_000;

  /** The longest value, in characters. */
  public static final int VALUE_LENGTH_MAX = 253;

  public static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}");

  /** How a policy names one version of a set: {@code vendors@3}. */
  public static final Pattern REFERENCE = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}@[1-9][0-9]{0,8}");

  private static final Pattern HEX_ADDRESS = Pattern.compile("0x[0-9a-fA-F]{40}");

  /** What the values are. */
  public enum Kind {
    /** Accounts. */
    ADDRESSES,
    /** Hosts in lower case, exact or {@code *.suffix} for what lies below a domain. */
    HOSTS,
    /** Texts, compared exactly. */
    STRINGS
  }

  private final String reference;
  private final Kind kind;
  private final Set<Address> addresses;
  private final Set<String> texts;

  private ValueSet(String reference, Kind kind, Set<Address> addresses, Set<String> texts) {
    this.reference = reference;
    this.kind = kind;
    this.addresses = addresses;
    this.texts = texts;
  }

  /**
   * A set of values that {@link #canonical} has accepted.
   *
   * @param reference {@code name@version}
   */
  public static ValueSet of(String reference, Kind kind, Collection<String> values) {
    return switch (kind) {
      case ADDRESSES ->
        new ValueSet(reference, kind, hashed(values.stream().map(ValueSet::address).toList()), Set.of());
      case HOSTS, STRINGS -> new ValueSet(reference, kind, Set.of(), hashed(values));
    };
  }

  /**
   * Values may be chosen such that many have the same hash: a hash set of comparable values then searches a tree, while the
   * immutable sets of the platform would look at them all, one after the other.
   */
  private static <T extends Comparable<? super T>> Set<T> hashed(Collection<T> values) {
    return Collections.unmodifiableSet(new HashSet<>(values));
  }

  /**
   * A value in the one form in which it is kept: EIP-55 for an address.
   *
   * @throws IllegalArgumentException with a message for the client if the text is no such value
   */
  public static String canonical(Kind kind, String text) {
    return switch (kind) {
      case ADDRESSES -> Address.parse(text).toString();
      case HOSTS -> RuleReader.matching(MatchReader.HOST, text,
          "must be a host in lower case such as `api.example.com`, or `*.example.com`");
      case STRINGS -> text;
    };
  }

  public String reference() {
    return reference;
  }

  public Kind kind() {
    return kind;
  }

  /** The accounts of a set of addresses; none for another kind. */
  public Set<Address> addresses() {
    return addresses;
  }

  /**
   * Whether a value is in the set.
   *
   * @throws IllegalArgumentException if it is no value of the set's kind, so that nobody can say
   */
  public boolean contains(String value) {
    return switch (kind) {
      case ADDRESSES -> addresses.contains(address(value));
      case HOSTS -> texts.contains(value) || liesBelow(value);
      case STRINGS -> texts.contains(value);
    };
  }

  private boolean liesBelow(String host) {
    for (int point = host.indexOf('.'); point >= 0; point = host.indexOf('.', point + 1)) {
      if (texts.contains("*" + host.substring(point))) {
        return true;
      }
    }
    return false;
  }

  /** The account that a text names, its letters in any case: what is compared has no need of a checksum. */
  private static Address address(String text) {
    if (!HEX_ADDRESS.matcher(text).matches()) {
      throw new IllegalArgumentException("is not an address");
    }
    return Address.of(HexFormat.of().parseHex(text, 2, text.length()));
  }

  @Override
  public String toString() {
    return reference;
  }
}
