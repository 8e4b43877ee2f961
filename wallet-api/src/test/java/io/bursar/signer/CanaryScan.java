package io.bursar.signer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;

/**
 * Looks for the private keys of a signer's home in files: raw, in hexadecimal and in the three ways that base64 can fall. In a process of its
 * own, so that the keys are in no test. Prints {@code FILE holds a key as SPELLING} for each, and {@code scanned N bytes for M keys}.
 */
public final class CanaryScan {
  private record Spelling(String name, byte[] bytes) {}

  private CanaryScan() {}

  /** Arguments: the home, and files or directories. */
  public static void main(String[] arguments) throws Exception {
    var spellings = new ArrayList<Spelling>();
    int keys = 0;
    var home = new SignerHome(Path.of(arguments[0]), false);
    try (var keks = home.keks().open()) {
      var store = Keystore.open(home.keys(), keks, new BouncyCastleSecp256k1());
      for (UUID id : store.keyIds()) {
        try (var secret = store.unseal(store.find(id).orElseThrow())) {
          spell(secret.copy(), spellings);
          keys++;
        }
      }
    }
    requireThatPlantedOnesAreFound(spellings);
    long scanned = 0;
    for (int i = 1; i < arguments.length; i++) {
      try (var files = Files.walk(Path.of(arguments[i]))) {
        for (var file : files.filter(Files::isRegularFile).toList()) {
          scanned += scan(file, spellings);
        }
      }
    }
    System.out.println("scanned " + scanned + " bytes for " + keys + " keys");
  }

  private static void spell(byte[] key, List<Spelling> spellings) {
    spellings.add(new Spelling("raw", key));
    spellings.add(new Spelling("hex", latin(HexFormat.of().formatHex(key))));
    spellings.add(new Spelling("HEX", latin(HexFormat.of().withUpperCase().formatHex(key))));
    for (int before = 0; before < 3; before++) {
      // Where the key begins within a group of three bytes, without the characters that its neighbours share.
      var shifted = new byte[before + key.length];
      System.arraycopy(key, 0, shifted, before, key.length);
      var text = Base64.getEncoder().withoutPadding().encodeToString(shifted);
      var whole = text.substring(before == 0 ? 0 : before + 1, text.length() - 1);
      spellings.add(new Spelling("base64", latin(whole)));
      spellings.add(new Spelling("base64url", latin(whole.replace('+', '-').replace('/', '_'))));
    }
  }

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static void requireThatPlantedOnesAreFound(List<Spelling> spellings) {
    try (var arena = Arena.ofConfined()) {
      for (var spelling : spellings) {
        var planted = arena.allocate(100);
        planted.asSlice(7).copyFrom(MemorySegment.ofArray(spelling.bytes()));
        if (!find(planted, spellings).contains(spelling)) {
          throw new IllegalStateException("a planted key was not found as " + spelling.name());
        }
      }
    }
  }

  private static long scan(Path file, List<Spelling> spellings) throws IOException {
    try (var channel = FileChannel.open(file)) {
      long size = channel.size();
      if (size > 0) {
        find(channel.map(FileChannel.MapMode.READ_ONLY, 0, size, Arena.ofAuto()), spellings)
            .forEach(spelling -> System.out.println(file + " holds a key as " + spelling.name()));
      }
      return size;
    }
  }

  private static List<Spelling> find(MemorySegment bytes, List<Spelling> spellings) {
    var found = new ArrayList<Spelling>();
    var first = new boolean[256];
    spellings.forEach(spelling -> first[spelling.bytes()[0] & 0xff] = true);
    for (long at = 0; at < bytes.byteSize(); at++) {
      if (first[bytes.get(ValueLayout.JAVA_BYTE, at) & 0xff]) {
        for (var spelling : spellings) {
          if (at + spelling.bytes().length <= bytes.byteSize() && matches(bytes, at, spelling.bytes())) {
            found.add(spelling);
          }
        }
      }
    }
    return found;
  }

  private static boolean matches(MemorySegment bytes, long at, byte[] wanted) {
    for (int i = 0; i < wanted.length; i++) {
      if (bytes.get(ValueLayout.JAVA_BYTE, at + i) != wanted[i]) {
        return false;
      }
    }
    return true;
  }
}
