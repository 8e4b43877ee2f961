package io.bursar.approval;

import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.UUID;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

import io.bursar.money.Address;
import io.bursar.money.Amount;
import io.bursar.money.Asset;
import io.bursar.permit.Digest32;
import io.bursar.policy.Policy;
import io.bursar.spend.Id;

/**
 * What an approver signs: one verdict on one exact spend, as decided under exactly these policies, asked of exactly these groups.
 *
 * <p>The text is ASCII, one {@code name: value} a line, each line ended by one line feed, the last one too, in this order:
 *
 * <pre>
 * bursar spend approval v1
 * verdict: approve
 * tenant: ten_0199a1c27a2c70e88000000000000001
 * spend: spd_0199a1c2801f7a04800000000000a1b2
 * authorization: aut_0199a1c2801f7a04800000000000a1b2
 * wallet: wal_0199a1c27b1174808000000000000003
 * chain: eip155:8453
 * asset: USDC
 * contract: 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913
 * decimals: 6
 * base-units: 24000000
 * payee: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
 * purpose: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 * policy: wallet pol_0199a1c27c0277148000000000000004 sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 * group: finance threshold 2 revision 1
 * expires: 2026-11-23T13:00:00.123456Z
 * </pre>
 *
 * There is a line for each policy in force (tenant, agent, wallet) and one for each group that is asked, by name. The purpose is
 * the record's salted commitment to purpose, reference and metadata, or {@code none}. The
 * first line keeps a signature from meaning anything elsewhere; another version of the text has another first line. No value
 * can hold a line feed or anything but ASCII, so no two spends have one text. A text has one form: {@link #parse} takes no other.
 *
 * @param authorizationId the decision that asks; a spend that is decided again asks anew
 * @param purpose absent where the agent gave no text
 * @param expiresAt until when the verdict can be given; whole microseconds
 */
public record ApprovalText(Verdict verdict, UUID tenantId, UUID spendId, UUID authorizationId, UUID walletId,
    Money money, Address payee, @Nullable Digest32 purpose, List<PolicyLine> policies, List<GroupLine> groups,
    Instant expiresAt) implements Signable {
  /** The first line: what the text is for, and its version. */
  public static final String HEAD = "bursar spend approval v1";
  /** The most bytes of a text; far more than the most groups need. */
  public static final int BYTES_MAX = 16 * 1024;

  private static final Pattern GROUP = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}");
  private static final Pattern NUMBER = Pattern.compile("[1-9][0-9]{0,8}");
  private static final Pattern UNITS = Pattern.compile("[1-9][0-9]{0,77}");
  private static final Pattern VERSION = Pattern.compile("sha256:[0-9a-f]{64}");
  private static final String HASH = "sha256:";
  private static final String NONE = "none";

  /**
   * How much of what.
   *
   * @param baseUnits 1 to 2^256 − 1
   */
  public record Money(String chain, String asset, Address contract, int decimals, BigInteger baseUnits) {
    public Money {
      var _ = new Asset(chain, contract, asset, decimals, null); // or it throws
      require(baseUnits.signum() > 0 && baseUnits.compareTo(Amount.MAX) <= 0, "base units must be 1 to 2^256 - 1");
    }

    /** As a person writes it, such as {@code 24.5 USDC}. */
    public String shown() {
      return Amount.format(baseUnits, decimals) + " " + asset;
    }
  }

  /** A policy in force, by its identity and version. */
  public record PolicyLine(Policy.Target attachedTo, UUID policyId, String version) {
    public PolicyLine {
      require(VERSION.matcher(version).matches(), "a policy's version is `sha256:` and 64 hexadecimal digits");
    }

    @Override
    public String toString() {
      return attachedTo.name().toLowerCase(Locale.ROOT) + " " + Id.POLICY.text(policyId) + " " + version;
    }
  }

  /**
   * A group that is asked.
   *
   * @param threshold how many different members must approve, from 1
   * @param revision counts the changes of the group's members and of their keys, from 1
   */
  public record GroupLine(String group, int threshold, int revision) {
    public GroupLine {
      require(GROUP.matcher(group).matches(), "a group's name is lower-case letters, digits, `_` and `-`");
      require(threshold > 0 && revision > 0, "threshold and revision count from 1");
    }

    @Override
    public String toString() {
      return group + " threshold " + threshold + " revision " + revision;
    }
  }

  public ApprovalText {
    policies = policies.stream().sorted(java.util.Comparator.comparing(PolicyLine::attachedTo)).toList();
    groups = groups.stream().sorted(java.util.Comparator.comparing(GroupLine::group)).toList();
    require(!policies.isEmpty() && !groups.isEmpty(), "somebody must be asked, by some policy");
  }

  /** The same spend, with this verdict. */
  public ApprovalText with(Verdict other) {
    return new ApprovalText(other, tenantId, spendId, authorizationId, walletId, money, payee, purpose, policies,
        groups, expiresAt);
  }

  /** The text. */
  @Override
  public String toString() {
    var text = new StringBuilder(1024).append(HEAD).append('\n');
    line(text, "verdict", verdict.text());
    line(text, "tenant", Id.TENANT.text(tenantId));
    line(text, "spend", Id.SPEND.text(spendId));
    line(text, "authorization", Id.AUTHORIZATION.text(authorizationId));
    line(text, "wallet", Id.WALLET.text(walletId));
    line(text, "chain", money.chain);
    line(text, "asset", money.asset);
    line(text, "contract", money.contract.toString());
    line(text, "decimals", Integer.toString(money.decimals));
    line(text, "base-units", money.baseUnits.toString());
    line(text, "payee", payee.toString());
    line(text, "purpose", purpose == null ? NONE : HASH + purpose);
    policies.forEach(policy -> line(text, "policy", policy.toString()));
    groups.forEach(group -> line(text, "group", group.toString()));
    line(text, "expires", expiresAt.toString());
    return text.toString();
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append(name).append(": ").append(value).append('\n');
  }

  /** The names of the lines in which this text is not another one, in the order of the text. */
  public List<String> differsFrom(ApprovalText other) {
    var here = toString().lines().toList();
    var there = other.toString().lines().toList();
    var names = new java.util.LinkedHashSet<String>();
    here.stream().filter(line -> !there.contains(line)).map(ApprovalText::name).forEach(names::add);
    there.stream().filter(line -> !here.contains(line)).map(ApprovalText::name).forEach(names::add);
    return List.copyOf(names);
  }

  private static String name(String line) {
    return line.substring(0, line.indexOf(':'));
  }

  /**
   * Reads a text back.
   *
   * @throws IllegalArgumentException if it is not exactly one that {@link #toString} writes
   */
  public static ApprovalText parse(String text) {
    require(text.length() <= BYTES_MAX, "an approval text has at most " + BYTES_MAX + " bytes");
    var lines = new Lines(text);
    try {
      var read = read(lines);
      require(read.toString().equals(text), "the text is not in its one form");
      return read;
    } catch (DateTimeException malformed) {
      throw new IllegalArgumentException("`expires` is not a time", malformed);
    }
  }

  private static ApprovalText read(Lines lines) {
    var verdict = Verdict.parse(lines.next("verdict"));
    var tenant = lines.id("tenant", Id.TENANT);
    var spend = lines.id("spend", Id.SPEND);
    var authorization = lines.id("authorization", Id.AUTHORIZATION);
    var wallet = lines.id("wallet", Id.WALLET);
    var chain = lines.next("chain");
    var asset = lines.next("asset");
    var contract = Address.parse(lines.next("contract"));
    var decimals = lines.next("decimals");
    var units = lines.next("base-units");
    require(decimals.matches("[0-9]{1,2}") && UNITS.matcher(units).matches(), "the amount is not a number");
    var money = new Money(chain, asset, contract, Integer.parseInt(decimals), new BigInteger(units));
    var payee = Address.parse(lines.next("payee"));
    var purpose = lines.next("purpose");
    var policies = new ArrayList<PolicyLine>();
    while (lines.isNext("policy")) {
      policies.add(policy(lines.next("policy")));
    }
    var groups = new ArrayList<GroupLine>();
    while (lines.isNext("group")) {
      groups.add(group(lines.next("group")));
    }
    return new ApprovalText(verdict, tenant, spend, authorization, wallet, money, payee,
        purpose.equals(NONE) ? null : hash(purpose), policies, groups, Instant.parse(lines.next("expires")));
  }

  private static Digest32 hash(String text) {
    require(VERSION.matcher(text).matches(), "a hash is `sha256:` and 64 hexadecimal digits");
    return Digest32.of(HexFormat.of().parseHex(text, HASH.length(), text.length()));
  }

  private static PolicyLine policy(String line) {
    var words = line.split(" ", -1);
    require(words.length == 3, "a policy is a target, an identifier and a version");
    var target = Arrays.stream(Policy.Target.values())
        .filter(known -> known.name().toLowerCase(Locale.ROOT).equals(words[0])).findFirst()
        .orElseThrow(() -> new IllegalArgumentException("a policy is attached to tenant, agent or wallet"));
    return new PolicyLine(target, id(Id.POLICY, words[1]), words[2]);
  }

  private static GroupLine group(String line) {
    var words = line.split(" ", -1);
    require(words.length == 5 && words[1].equals("threshold") && words[3].equals("revision")
        && NUMBER.matcher(words[2]).matches() && NUMBER.matcher(words[4]).matches(),
        "a group is a name, a threshold and a revision");
    return new GroupLine(words[0], Integer.parseInt(words[2]), Integer.parseInt(words[4]));
  }

  private static UUID id(Id kind, String text) {
    return kind.parse(text)
        .orElseThrow(() -> new IllegalArgumentException("`" + text + "` is not an identifier of its kind"));
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalArgumentException(otherwise);
    }
  }

  /** The lines of a text, one after the other. */
  private static final class Lines {
    private final List<String> lines;
    private int at = 1;

    Lines(String text) {
      lines = Arrays.asList(text.split("\n", -1));
      require(Objects.equals(lines.getFirst(), HEAD), "the first line must be `" + HEAD + "`");
    }

    boolean isNext(String name) {
      return at < lines.size() && lines.get(at).startsWith(name + ": ");
    }

    String next(String name) {
      require(isNext(name), "line " + (at + 1) + " must be `" + name + ": …`");
      return lines.get(at++).substring(name.length() + 2);
    }

    UUID id(String name, Id kind) {
      return ApprovalText.id(kind, next(name));
    }
  }
}
