package io.bursar.log;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.bursar.permit.Bytes;

/**
 * A text and the signatures below it, an empty line between them. Reading is strict: what is read is written again as the same
 * bytes.
 *
 * @param text ends in the end of a line, has no control characters
 * @param signatures 1 to {@link #SIGNATURES_MAX}
 * @see <a href="https://c2sp.org/signed-note">C2SP signed-note</a>
 */
public record SignedNote(String text, List<Signature> signatures) {
  /** The most signatures that a note may carry. */
  public static final int SIGNATURES_MAX = 100;

  private static final String LINE_START = "\u2014 ";
  private static final int ID_BYTES = 4;

  /**
   * One line of signature: {@code — <name> <base64 of key id and signature>}.
   *
   * @param name of the key
   * @param keyId of the key
   * @param bytes what the kind of key says; not empty
   */
  public record Signature(String name, int keyId, Bytes bytes) {
    public Signature {
      NoteKey.requireName(name);
      if (bytes.size() == 0) {
        throw new IllegalArgumentException("the signature of `" + name + "` is empty");
      }
    }

    /** The line, with its end. */
    public String line() {
      var signed = ByteBuffer.allocate(ID_BYTES + bytes.size()).putInt(keyId).put(bytes.toByteArray()).array();
      return LINE_START + name + " " + NoteText.base64(signed) + "\n";
    }

    /**
     * Reads a line without its end.
     *
     * @throws IllegalArgumentException if it is no line of signature
     */
    public static Signature parse(String line) {
      var parts = line.startsWith(LINE_START) ? line.substring(LINE_START.length()).split(" ", -1) : new String[0];
      if (parts.length != 2) {
        throw new IllegalArgumentException("a line of signature is `\u2014 <name> <base64>`");
      }
      var signed = NoteText.base64(parts[1]);
      if (signed.length <= ID_BYTES) {
        throw new IllegalArgumentException("the signature of `" + parts[0] + "` is too short");
      }
      return new Signature(parts[0], ByteBuffer.wrap(signed).getInt(),
          Bytes.of(Arrays.copyOfRange(signed, ID_BYTES, signed.length)));
    }
  }

  public SignedNote {
    NoteText.requirePlain(text);
    if (!text.endsWith("\n")) {
      throw new IllegalArgumentException("the text of a note must end in the end of a line");
    }
    if (signatures.isEmpty() || signatures.size() > SIGNATURES_MAX) {
      throw new IllegalArgumentException("a note has 1 to 100 signatures, not " + signatures.size());
    }
    signatures = List.copyOf(signatures);
  }

  /**
   * Reads a note.
   *
   * @throws IllegalArgumentException if it is malformed in any way
   */
  public static SignedNote parse(byte[] note) {
    var all = NoteText.utf8(note);
    int split = all.lastIndexOf("\n\n");
    if (split < 0 || !all.endsWith("\n") || split + 2 == all.length()) {
      throw new IllegalArgumentException("a note is a text, an empty line, and lines of signatures");
    }
    var lines = all.substring(split + 2, all.length() - 1).split("\n", -1);
    if (lines.length > SIGNATURES_MAX) {
      throw new IllegalArgumentException("a note has at most 100 signatures, not " + lines.length);
    }
    return new SignedNote(all.substring(0, split + 1), Arrays.stream(lines).map(Signature::parse).toList());
  }

  /** The note as bytes. */
  public byte[] encode() {
    var out = new StringBuilder(text).append('\n');
    signatures.forEach(signature -> out.append(signature.line()));
    return out.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** The note with more signatures below those that it has; one that it has already is not repeated. */
  public SignedNote with(Collection<Signature> more) {
    var all = new ArrayList<>(signatures);
    more.stream().filter(signature -> !all.contains(signature)).forEach(all::add);
    return new SignedNote(text, all);
  }

  /**
   * Checks every signature whose key is known; those of others are passed over. The first signature of a key counts.
   *
   * @return the keys that signed, with their signatures; perhaps none
   * @throws IllegalArgumentException if a known key's signature is not valid: then nothing in the note can be believed
   */
  public Map<NoteKey, Signature> verify(Collection<NoteKey> keys) {
    var valid = new LinkedHashMap<NoteKey, Signature>();
    for (var signature : signatures) {
      for (var key : keys) {
        if (key.name().equals(signature.name()) && key.id() == signature.keyId() && !valid.containsKey(key)) {
          if (!key.verifies(text, signature.bytes().toByteArray())) {
            throw new IllegalArgumentException("the signature of `" + key.name() + "` is not valid");
          }
          valid.put(key, signature);
        }
      }
    }
    return valid;
  }

  /** Whether the key signed, and everything that can be checked with it is valid. Never throws. */
  public boolean isSignedBy(NoteKey key) {
    try {
      return !verify(List.of(key)).isEmpty();
    } catch (IllegalArgumentException notValid) {
      return false;
    }
  }
}
