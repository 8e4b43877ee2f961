package io.bursar.signer;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

import io.bursar.log.Checkpoint;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.log.NoteSigner;
import io.bursar.log.SignedNote;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerReply.HeadIs;
import io.bursar.permit.SignerReply.HeadSigned;
import io.bursar.permit.SignerRequest.SignHead;
import io.bursar.spend.Id;

/**
 * Signs the heads of the tenants' logs, each only if it is proved to grow out of the one before. The last head of each tenant is
 * a file, on the disk before its signature is given out, so that a database that was put back to an older copy, or rewritten,
 * can never be signed for.
 */
final class LogSigner {
  private static final Logger LOG = System.getLogger("io.bursar.signer");
  private static final int MOST_TENANTS = 100_000;
  private static final int MOST_HEAD_BYTES = 256;
  private static final String HEAD_FILE = ".head";
  private static final Pattern HEAD = Pattern.compile("(head v1 ([1-9][0-9]{0,18}) ([0-9a-f]{64})) ([0-9a-f]{16})\n");

  private record Head(long size, Digest32 root) {
    static final Head NONE = new Head(0, Merkle.emptyRoot());
  }

  private final String origin;
  private final byte[] seed;
  private final Bytes publicKey;
  private final Path directory;
  private final boolean required;
  private final ConcurrentHashMap<UUID, NoteSigner> keys = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<UUID, Head> heads = new ConcurrentHashMap<>();

  private LogSigner(String origin, byte[] seed, Path directory, boolean required) {
    this.origin = origin;
    this.seed = seed;
    this.publicKey = NoteSigner.of(name(origin, new UUID(0, 0)), NoteKey.Kind.ED25519, seed).key().publicKey();
    this.directory = directory;
    this.required = required;
  }

  /**
   * Reads the last heads.
   *
   * @param origin of the instance; a tenant's log is called {@code <origin>/<tenant id>}
   * @param seed the secret key, 32 bytes
   * @param directory of the heads, made if it is not there
   * @param required whether payments are signed only with evidence that they were authorized on the record
   * @throws IOException if a head cannot be read
   */
  static LogSigner open(String origin, byte[] seed, Path directory, boolean required) throws IOException {
    SafeFiles.makeDirectory(directory);
    var signer = new LogSigner(origin, seed.clone(), directory, required);
    try (var files = Files.newDirectoryStream(directory, "*" + HEAD_FILE)) {
      for (var file : files) {
        var name = file.getFileName().toString();
        var tenant = Id.TENANT.parse(name.substring(0, name.length() - HEAD_FILE.length()));
        var match = HEAD.matcher(new String(SafeFiles.read(file, MOST_HEAD_BYTES), StandardCharsets.US_ASCII));
        if (tenant.isEmpty() || !match.matches() || !check(match.group(1)).equals(match.group(4))) {
          throw new IOException("`" + file + "` is damaged: it should hold the last head that was signed for a log; "
              + "restore it, for without it a rewritten log could be signed");
        }
        signer.heads.put(tenant.get(), new Head(Long.parseLong(match.group(2)),
            Digest32.of(HexFormat.of().parseHex(match.group(3)))));
      }
    }
    return signer;
  }

  /** Whether payments are signed only with evidence. */
  boolean isRequired() {
    return required;
  }

  /** Where the last head of a tenant's log is kept. */
  static Path file(Path directory, UUID tenantId) {
    return directory.resolve(Id.TENANT.text(tenantId) + HEAD_FILE);
  }

  /** The key of a tenant's log. */
  NoteKey key(UUID tenantId) {
    return new NoteKey(name(origin, tenantId), NoteKey.Kind.ED25519, publicKey);
  }

  /** INVARIANT: every head that is ever signed for a tenant begins with all entries of every head signed before. */
  SignerReply sign(SignHead request) throws IOException {
    if (request.size() < 1 || request.oldSize() < 0) {
      return new SignerReply.Refused(SignerRefusal.BAD_FRAME, "a log has 1 entry or more");
    }
    if (!heads.containsKey(request.tenantId()) && Math.max(heads.size(), keys.size()) >= MOST_TENANTS) {
      return new SignerReply.Refused(SignerRefusal.UNAVAILABLE, "the signer keeps " + MOST_TENANTS + " logs at most");
    }
    synchronized (signer(request.tenantId())) {
      var last = heads.getOrDefault(request.tenantId(), Head.NONE);
      var wanted = new Head(request.size(), request.root());
      if (wanted.equals(last)) {
        return signed(request.tenantId(), wanted);
      }
      if (request.size() < last.size || request.oldSize() != last.size) {
        return new HeadIs(last.size, last.root);
      }
      if (!growsFrom(last, wanted, request.proof())) {
        return new SignerReply.Refused(SignerRefusal.LOG_FORKED, "the log of " + Id.TENANT.text(request.tenantId())
            + " at size " + request.size() + " does not begin with the " + last.size + " entries signed before");
      }
      SafeFiles.replace(file(directory, request.tenantId()), encode(wanted));
      heads.put(request.tenantId(), wanted);
      LOG.log(Level.DEBUG, "head signed tenant=" + request.tenantId() + " size=" + request.size());
      return signed(request.tenantId(), wanted);
    }
  }

  private static boolean growsFrom(Head last, Head wanted, List<Digest32> proof) {
    return last.size == 0
        ? proof.isEmpty()
        : Merkle.isConsistent(last.size, last.root, wanted.size, wanted.root, proof);
  }

  private HeadSigned signed(UUID tenantId, Head head) {
    var signer = signer(tenantId);
    var text = new Checkpoint(signer.key().name(), head.size, head.root).text();
    return new HeadSigned(Bytes.of(new SignedNote(text, List.of(signer.sign(text))).encode()));
  }

  private NoteSigner signer(UUID tenantId) {
    return keys.computeIfAbsent(tenantId,
        tenant -> NoteSigner.of(name(origin, tenant), NoteKey.Kind.ED25519, seed));
  }

  /** What a tenant's log is called. */
  static String name(String origin, UUID tenantId) {
    return origin + "/" + Id.TENANT.text(tenantId);
  }

  private static byte[] encode(Head head) {
    var line = "head v1 " + head.size + " " + head.root;
    return (line + " " + check(line) + "\n").getBytes(StandardCharsets.US_ASCII);
  }

  private static String check(String line) {
    return Digest32.sha256(line.getBytes(StandardCharsets.US_ASCII)).toString().substring(0, 16);
  }
}
