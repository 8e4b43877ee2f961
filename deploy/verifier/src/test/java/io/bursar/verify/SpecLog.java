package io.bursar.verify;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.EdECPrivateKeySpec;
import java.security.spec.NamedParameterSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A second writer of logs, made from the specifications alone (RFC 6962, C2SP tlog-tiles, signed-note and tlog-proof) with what
 * the JDK has; it shares no line with the service or the verifier.
 */
public final class SpecLog implements LogSource {
  private static final int TILE = 256;
  private static final HexFormat HEX = HexFormat.of();

  /** Its files by their paths; a test may change them. */
  public final Map<String, byte[]> files = new TreeMap<>();

  private final String name;
  private final byte[] seed;
  private final byte[] publicKey;

  /** A log of this name with an Ed25519 key pair (RFC 8032). */
  public SpecLog(String name, byte[] seed, byte[] publicKey) {
    this.name = name;
    this.seed = seed;
    this.publicKey = publicKey;
  }

  /** A log with a key that is its test's alone: the first test vector of RFC 8032, section 7.1. */
  public static SpecLog withTestKey(String name) {
    return new SpecLog(name, HEX.parseHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
        HEX.parseHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  }

  /** Writes the log of these entries: every tile and bundle, and the signed checkpoint. */
  public SpecLog write(List<byte[]> entries) {
    var hashes = entries.stream().map(SpecLog::leafHash).toList();
    writeBundles(entries);
    writeTiles(hashes);
    files.put("checkpoint", checkpoint(entries.size(), root(hashes)));
    return this;
  }

  private void writeBundles(List<byte[]> entries) {
    for (int from = 0; from < entries.size(); from += TILE) {
      var bundle = new ByteArrayOutputStream();
      var part = entries.subList(from, Math.min(entries.size(), from + TILE));
      for (var entry : part) {
        bundle.write(entry.length / 256);
        bundle.write(entry.length % 256);
        bundle.writeBytes(entry);
      }
      files.put("tile/entries/" + path(from / TILE, part.size()), bundle.toByteArray());
    }
  }

  private void writeTiles(List<byte[]> leafHashes) {
    var level = leafHashes;
    for (int number = 0; !level.isEmpty(); number++) {
      var above = new ArrayList<byte[]>();
      for (int from = 0; from < level.size(); from += TILE) {
        var part = level.subList(from, Math.min(level.size(), from + TILE));
        var tile = new ByteArrayOutputStream();
        part.forEach(tile::writeBytes);
        files.put("tile/" + number + "/" + path(from / TILE, part.size()), tile.toByteArray());
        if (part.size() == TILE) {
          above.add(root(part));
        }
      }
      level = above;
    }
  }

  private static String path(long number, int width) {
    var digits = Long.toString(number);
    digits = "0".repeat((3 - digits.length() % 3) % 3) + digits;
    var groups = new ArrayList<String>();
    for (int at = 0; at < digits.length(); at += 3) {
      groups.add((at + 3 < digits.length() ? "x" : "") + digits.substring(at, at + 3));
    }
    return String.join("/", groups) + (width == TILE ? "" : ".p/" + width);
  }

  static byte[] leafHash(byte[] entry) {
    return sha256(new byte[]{0}, entry);
  }

  /** MTH of RFC 6962, section 2.1, over hashes of leaves or of complete subtrees. */
  static byte[] root(List<byte[]> hashes) {
    if (hashes.isEmpty()) {
      return sha256();
    }
    if (hashes.size() == 1) {
      return hashes.getFirst();
    }
    int split = Integer.highestOneBit(hashes.size() - 1);
    return sha256(new byte[]{1}, root(hashes.subList(0, split)), root(hashes.subList(split, hashes.size())));
  }

  /** PATH of RFC 6962, section 2.1.1: the leaf's sibling first. */
  private static List<byte[]> path(int index, List<byte[]> hashes) {
    if (hashes.size() == 1) {
      return new ArrayList<>();
    }
    int split = Integer.highestOneBit(hashes.size() - 1);
    List<byte[]> path;
    if (index < split) {
      path = path(index, hashes.subList(0, split));
      path.add(root(hashes.subList(split, hashes.size())));
    } else {
      path = path(index - split, hashes.subList(split, hashes.size()));
      path.add(root(hashes.subList(0, split)));
    }
    return path;
  }

  /** The receipt of an entry. */
  byte[] receipt(int index, List<byte[]> entries) {
    var hashes = entries.stream().map(SpecLog::leafHash).toList();
    var text = new StringBuilder("c2sp.org/tlog-proof@v1\nindex " + index + "\n");
    path(index, hashes).forEach(hash -> text.append(base64(hash)).append('\n'));
    return text.append('\n').append(new String(checkpoint(entries.size(), root(hashes)), StandardCharsets.UTF_8))
        .toString().getBytes(StandardCharsets.UTF_8);
  }

  private byte[] checkpoint(int size, byte[] root) {
    var text = name + "\n" + size + "\n" + base64(root) + "\n";
    return (text + "\n\u2014 " + name + " "
        + base64(concatenated(keyId(), sign(text.getBytes(StandardCharsets.UTF_8)))) + "\n")
        .getBytes(StandardCharsets.UTF_8);
  }

  /** What the auditor is given. */
  public String vkey() {
    return name + "+" + HEX.formatHex(keyId()) + "+" + base64(concatenated(new byte[]{1}, publicKey));
  }

  private byte[] keyId() {
    return Arrays.copyOf(sha256(name.getBytes(StandardCharsets.UTF_8), new byte[]{'\n', 1}, publicKey), 4);
  }

  private byte[] sign(byte[] message) {
    try {
      var signature = Signature.getInstance("Ed25519");
      signature.initSign(KeyFactory.getInstance("Ed25519")
          .generatePrivate(new EdECPrivateKeySpec(NamedParameterSpec.ED25519, seed)));
      signature.update(message);
      return signature.sign();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] sha256(byte[]... parts) {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      for (var part : parts) {
        digest.update(part);
      }
      return digest.digest();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] concatenated(byte[] first, byte[] second) {
    var both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }

  @Override
  public Optional<byte[]> read(String path, int bytesMax) {
    return Optional.ofNullable(files.get(path));
  }

  /** Puts the files into a folder. */
  public SpecLog writeTo(Path folder) {
    files.forEach((path, bytes) -> {
      try {
        var file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        Files.write(file, bytes);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    });
    return this;
  }
}
