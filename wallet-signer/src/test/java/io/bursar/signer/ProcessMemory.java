package io.bursar.signer;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Reads the memory of another process as root does, and looks for a secret in it. */
final class ProcessMemory {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final int MOST_SPELLING_BYTES = 80;

  /**
   * A place where a secret was found.
   *
   * @param mapping its line in {@code /proc/PID/smaps}
   * @param flags of the kernel for these pages, such as {@code lo} for locked and {@code dd} for left out of dumps
   */
  record Hit(String spelling, String mapping, List<String> flags) {}

  private record Mapping(long from, long to, String line, List<String> flags) {}

  private ProcessMemory() {}

  /** The usual spellings of a secret of 32 bytes, by name. */
  static Map<String, byte[]> spellings(byte[] secret) {
    var reversed = new byte[secret.length];
    for (int i = 0; i < secret.length; i++) {
      reversed[i] = secret[secret.length - 1 - i];
    }
    return Map.of("raw", secret, "little-endian", reversed, //
        "hex", latin(HexFormat.of().formatHex(secret)), //
        "HEX", latin(HexFormat.of().withUpperCase().formatHex(secret)), //
        "base64", latin(Base64.getEncoder().encodeToString(secret).substring(0, 42)), //
        "base64url", latin(Base64.getUrlEncoder().encodeToString(secret).substring(0, 42)), //
        "decimal", latin(new BigInteger(1, secret).toString()));
  }

  /** Where the secret is in a process, in any of its spellings. */
  static List<Hit> find(long pid, byte[] secret) throws IOException {
    var hits = new ArrayList<Hit>();
    var spellings = spellings(secret);
    try (var memory = new RandomAccessFile("/proc/" + pid + "/mem", "r")) {
      for (var mapping : mappings(pid)) {
        scan(memory, mapping, spellings, hits);
      }
    }
    return hits;
  }

  private static void scan(RandomAccessFile memory, Mapping mapping, Map<String, byte[]> spellings, List<Hit> hits)
      throws IOException {
    var first = new boolean[256];
    spellings.values().forEach(spelling -> first[spelling[0] & 0xff] = true);
    var chunk = new byte[CHUNK_BYTES + MOST_SPELLING_BYTES];
    for (long at = mapping.from(); at < mapping.to(); at += CHUNK_BYTES) {
      memory.seek(at);
      int read;
      try {
        read = memory.read(chunk, 0, (int) Math.min(chunk.length, mapping.to() - at));
      } catch (IOException notBacked) {
        continue; // such as a page of a file that is shorter by now
      }
      for (int i = 0; i < Math.min(CHUNK_BYTES, read); i++) {
        if (first[chunk[i] & 0xff]) {
          for (var spelling : spellings.entrySet()) {
            if (i + spelling.getValue().length <= read && matches(chunk, i, spelling.getValue())) {
              hits.add(new Hit(spelling.getKey(), mapping.line(), mapping.flags()));
            }
          }
        }
      }
    }
  }

  private static boolean matches(byte[] chunk, int at, byte[] wanted) {
    for (int i = 0; i < wanted.length; i++) {
      if (chunk[at + i] != wanted[i]) {
        return false;
      }
    }
    return true;
  }

  private static List<Mapping> mappings(long pid) throws IOException {
    var mappings = new ArrayList<Mapping>();
    var head = "";
    for (var line : Files.readAllLines(Path.of("/proc/" + pid + "/smaps"))) {
      if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        head = line;
      } else if (line.startsWith("VmFlags:")) {
        var flags = List.of(line.substring(8).strip().split(" "));
        var range = head.substring(0, head.indexOf(' ')).split("-");
        if (flags.contains("rd") && flags.contains("wr")) { // nothing is written elsewhere
          mappings.add(new Mapping(Long.parseUnsignedLong(range[0], 16), Long.parseUnsignedLong(range[1], 16), head,
              flags));
        }
      }
    }
    return mappings;
  }

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
