package io.bursar.api.events;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import org.apache.hc.client5.http.DnsResolver;

/**
 * Finds the addresses of a host, and refuses the host if any of them is not one of the public Internet. It is asked for each
 * connection, and what it answers is what is connected to: a name that changes between a check and a connection gains nothing.
 *
 * @see <a href="https://www.iana.org/assignments/iana-ipv4-special-registry">IANA IPv4 special-purpose addresses</a>
 * @see <a href="https://www.iana.org/assignments/iana-ipv6-special-registry">IANA IPv6 special-purpose addresses</a>
 */
final class PublicAddresses implements DnsResolver {
  /** Finds addresses as the machine does. */
  @FunctionalInterface
  interface Names {
    InetAddress[] find(String host) throws UnknownHostException;
  }

  /** The host has an address that must not be connected to. */
  static final class NotPublic extends UnknownHostException {
    NotPublic(String host, InetAddress address) {
      super("`" + host + "` has the address " + address.getHostAddress() + ", which is not of the public Internet");
    }
  }

  private record Range(byte[] prefix, int bits) {
    static Range of(String text) {
      int slash = text.indexOf('/');
      return new Range(InetAddress.ofLiteral(text.substring(0, slash)).getAddress(),
          Integer.parseInt(text.substring(slash + 1)));
    }

    boolean holds(byte[] address) {
      if (address.length != prefix.length) {
        return false;
      }
      for (int bit = 0; bit < bits; bit++) {
        int mask = 0x80 >>> bit % 8;
        if ((address[bit / 8] & mask) != (prefix[bit / 8] & mask)) {
          return false;
        }
      }
      return true;
    }
  }

  private static final List<Range> SPECIAL_V4 = ranges("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
      "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
      "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
      "224.0.0.0/4", "240.0.0.0/4");
  /** Everything outside of it is special: also what embeds an IPv4 address, as 64:ff9b::/96 does. */
  private static final Range GLOBAL_V6 = Range.of("2000::/3");
  private static final List<Range> SPECIAL_V6 = ranges("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
      "2620:4f:8000::/48");

  private final Names names;

  PublicAddresses(Names names) {
    this.names = names;
  }

  private static List<Range> ranges(String... texts) {
    return Arrays.stream(texts).map(Range::of).toList();
  }

  static boolean isPublic(InetAddress address) {
    var bytes = address.getAddress();
    return address instanceof Inet4Address
        ? SPECIAL_V4.stream().noneMatch(range -> range.holds(bytes))
        : GLOBAL_V6.holds(bytes) && SPECIAL_V6.stream().noneMatch(range -> range.holds(bytes));
  }

  /** Whether a URL's host is an address, and not a public one. What a name stands for is seen when it is connected to. */
  static boolean isLiteralOfAnother(String host) {
    try {
      return !isPublic(InetAddress.ofLiteral(host));
    } catch (IllegalArgumentException name) {
      return false;
    }
  }

  @Override
  public InetAddress[] resolve(String host) throws UnknownHostException {
    var found = new ArrayList<InetAddress>();
    for (var address : names.find(host)) {
      if (!isPublic(address)) {
        throw new NotPublic(host, address);
      }
      found.add(address);
    }
    return found.toArray(InetAddress[]::new);
  }

  @Override
  public String resolveCanonicalHostname(String host) {
    return host;
  }
}
