package io.bursar.api.witness;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

import io.bursar.log.NoteKey;

/**
 * Which witnesses are shown every head, and how many of them must have signed one before it counts.
 *
 * @param witnesses all of them
 * @param quorum whose signatures count towards {@code threshold}
 * @param threshold how many of them are needed; 0: none
 */
public record WitnessPolicy(List<Witness> witnesses, Set<NoteKey> quorum, int threshold) {
  /** No witnesses. */
  public static final WitnessPolicy NONE = new WitnessPolicy(List.of(), Set.of(), 0);
  private static final int WITNESSES_MAX = 32;

  /**
   * One witness.
   *
   * @param key what verifies its signatures
   * @param url where it takes requests; {@code add-checkpoint} is below it
   */
  public record Witness(NoteKey key, URI url) {}

  /**
   * Reads a policy in the format of C2SP tlog-policy: lines {@code witness <name> <verifier key> <url>}, {@code group <name> any|all|<k>
   * <witness>…}, and one {@code quorum <group or witness>|none}; lines {@code log …} and comments are passed over.
   *
   * @throws IOException if the file cannot be read or is not such a policy
   */
  public static WitnessPolicy read(Path file) throws IOException {
    int number = 0;
    var witnesses = new LinkedHashMap<String, Witness>();
    var groups = new LinkedHashMap<String, WitnessPolicy>();
    var result = NONE;
    for (var line : Files.readAllLines(file)) {
      number++;
      var words = line.strip().split("\\s+");
      try {
        switch (words[0].startsWith("#") ? "" : words[0]) {
          case "", "log" -> {
            // nothing for this side
          }
          case "witness" -> {
            if (words.length != 4 || witnesses.size() >= WITNESSES_MAX) {
              throw new IllegalArgumentException("expected `witness <name> <verifier key> <url>`, at most 32 of them");
            }
            witnesses.put(words[1], witness(words[2], words[3]));
          }
          case "group" -> groups.put(words[1], group(words, witnesses));
          case "quorum" -> result = quorum(words, witnesses, groups);
          default -> throw new IllegalArgumentException("`" + words[0] + "` is not known");
        }
      } catch (IllegalArgumentException | IndexOutOfBoundsException wrong) {
        throw new IOException("line " + number + " of `" + file + "`: " + wrong.getMessage(), wrong);
      }
    }
    return new WitnessPolicy(List.copyOf(witnesses.values()), result.quorum, result.threshold);
  }

  private static Witness witness(String vkey, String url) {
    var key = NoteKey.parse(vkey);
    if (key.kind() != NoteKey.Kind.COSIGNATURE) {
      throw new IllegalArgumentException("the key of a witness makes cosignatures, and this one does not");
    }
    return new Witness(key, URI.create(url.endsWith("/") ? url : url + "/"));
  }

  private static WitnessPolicy group(String[] words, Map<String, Witness> witnesses) {
    var members = List.of(words).subList(3, words.length).stream().map(name -> known(name, witnesses).key())
        .collect(Collectors.toUnmodifiableSet());
    int threshold = switch (words[2]) {
      case "any" -> 1;
      case "all" -> members.size();
      default -> Integer.parseInt(words[2]);
    };
    if (threshold < 1 || threshold > members.size()) {
      throw new IllegalArgumentException("a group of " + members.size() + " cannot ask for " + threshold);
    }
    return new WitnessPolicy(List.of(), members, threshold);
  }

  private static WitnessPolicy quorum(String[] words, Map<String, Witness> witnesses,
      Map<String, WitnessPolicy> groups) {
    if (words[1].equals("none")) {
      return NONE;
    }
    var group = groups.get(words[1]);
    return group != null ? group : new WitnessPolicy(List.of(), Set.of(known(words[1], witnesses).key()), 1);
  }

  private static Witness known(String name, Map<String, Witness> witnesses) {
    var witness = witnesses.get(name);
    if (witness == null) {
      throw new IllegalArgumentException("there is no witness `" + name + "` above");
    }
    return witness;
  }
}
