package io.bursar.permit;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.bursar.permit.SignerReply.AuthorizationSigned;
import io.bursar.permit.SignerReply.Frozen;
import io.bursar.permit.SignerReply.HeadIs;
import io.bursar.permit.SignerReply.HeadSigned;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.LogKeyIs;
import io.bursar.permit.SignerReply.MarkIs;
import io.bursar.permit.SignerReply.Obeyed;
import io.bursar.permit.SignerReply.Refused;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.SignerRequest.Freeze;
import io.bursar.permit.SignerRequest.Health;
import io.bursar.permit.SignerRequest.IsFrozen;
import io.bursar.permit.SignerRequest.Lift;
import io.bursar.permit.SignerRequest.LogKey;
import io.bursar.permit.SignerRequest.Mark;
import io.bursar.permit.SignerRequest.Obey;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.SignerRequest.SignHead;

/**
 * Requests and replies as bytes on a stream. A frame is four bytes of length, big-endian, and a payload of that many
 * bytes; a payload is version 1 (1), type (1) and the fields of the type. A connection carries requests one way and, in
 * the same order, one reply for each the other way.
 *
 * <pre>
 * request  1 health
 *          2 create key   tenant (16), key (16)
 *          3 sign         permit (2 + n), signature (64), intent (2 + n)
 *          4 sign logged  as 3, then entry (2 + n), proof (2 + n)
 *          5 sign head    tenant (16), size (8), root (32), old size (8), count (1), that many hashes (32)
 *          6 log key      tenant (16)
 *         16 sign approved
 *                         as 4, then text (2 + n), count (1), that many words: approver (16), count (1), that many groups (2 + n),
 *                         key (2 + n), signature (2 + n), credential id (2 + n), authenticator data (2 + n), client data (2 + n);
 *                         no credential id and no more for a key that signs the text itself
 *         17 obey         order (2 + n), count (1), that many signatures (2 + n), content (2 + n)
 *         18 freeze       scope (1): 1 key, 2 tenant, 3 all; its id, zero for all (16); why (2 + n)
 *         19 lift         scope (1), id (16), operator's key (32)
 *         20 mark         known (1): 0 no, 1 yes; if so at (8), length (8), checksum (16)
 *         21 is frozen    tenant (16), key (16)
 * reply  129 healthy      version (2 + n), backend (2 + n), count (1), that many facts (2 + n)
 *        130 key created  key (16), address (20)
 *        131 signed       raw transaction (2 + n), hash (32)
 *        132 head signed  checkpoint (2 + n)
 *        133 head is      size (8), root (32)
 *        134 log key is   verifier key (2 + n)
 *        135 authorization signed
 *                         signature (2 + n), digest (32)
 *        144 obeyed       number (8)
 *        145 frozen       scope (1), id (16), frozen (1): 0 no, 1 yes
 *        146 mark is      at (8), length (8), checksum (16)
 *        255 refused      code (1), message (2 + n)
 * </pre>
 *
 * where {@code 2 + n} is two bytes of length and as many bytes.
 */
public final class SignerFrame {
  /** Length of the length, in bytes. */
  public static final int HEADER_BYTES = 4;
  /** The longest payload in bytes: with its header it fills 128 KiB, room for an entry of the log and its receipt. */
  public static final int MAX_PAYLOAD_BYTES = 128 * 1024 - HEADER_BYTES;

  private static final int VERSION = 1;
  private static final int MAX_FACTS = 64;
  private static final int HEALTH = 1;
  private static final int CREATE_KEY = 2;
  private static final int SIGN = 3;
  private static final int SIGN_LOGGED = 4;
  private static final int SIGN_HEAD = 5;
  private static final int LOG_KEY = 6;
  private static final int SIGN_APPROVED = 16;
  private static final int OBEY = 17;
  private static final int FREEZE = 18;
  private static final int LIFT = 19;
  private static final int MARK = 20;
  private static final int IS_FROZEN = 21;
  private static final int HEALTHY = 129;
  private static final int KEY_CREATED = 130;
  private static final int SIGNED = 131;
  private static final int HEAD_SIGNED = 132;
  private static final int HEAD_IS = 133;
  private static final int LOG_KEY_IS = 134;
  private static final int AUTHORIZATION_SIGNED = 135;
  private static final int OBEYED = 144;
  private static final int FROZEN = 145;
  private static final int MARK_IS = 146;
  private static final int REFUSED = 255;

  private SignerFrame() {}

  /**
   * Takes one payload out of a buffer that is ready for reading, or nothing if not all of it has arrived. The buffer's
   * position moves only if a payload was taken.
   *
   * @return the payload, or null if more bytes are needed
   * @throws IllegalArgumentException if the length is no length of a frame; the stream cannot be read any further
   */
  public static byte @Nullable [] take(ByteBuffer in) {
    if (in.remaining() < HEADER_BYTES) {
      return null;
    }
    int length = in.getInt(in.position());
    if (length < 2 || length > MAX_PAYLOAD_BYTES) {
      throw new IllegalArgumentException(
          "a frame has 2 to " + MAX_PAYLOAD_BYTES + " bytes, not `" + Integer.toUnsignedString(length) + "`");
    }
    if (in.remaining() < HEADER_BYTES + length) {
      return null;
    }
    var payload = new byte[length];
    in.position(in.position() + HEADER_BYTES).get(payload);
    return payload;
  }

  /** A whole frame, ready to be written. */
  public static ByteBuffer encode(SignerRequest request) {
    var out = new WireWriter().u8(VERSION);
    switch (request) {
      case Health() -> out.u8(HEALTH);
      case CreateKey(var tenantId, var keyId) -> out.u8(CREATE_KEY).uuid(tenantId).uuid(keyId);
      case Sign(var permit, var intent, var evidence) -> {
        int type = evidence.isEmpty() ? SIGN : evidence.get().approved().isEmpty() ? SIGN_LOGGED : SIGN_APPROVED;
        out.u8(type).shortBytes(permit.bytes().toByteArray()).bytes(permit.signature().toByteArray())
            .shortBytes(intent.toByteArray());
        evidence.ifPresent(shown -> {
          out.shortBytes(shown.entry().toByteArray()).shortBytes(shown.proof().toByteArray());
          shown.approved().ifPresent(approved -> ApprovedWire.write(out, approved));
        });
      }
      case SignHead(var tenantId, var size, var root, var oldSize, var proof) -> {
        if (proof.size() > SignHead.PROOF_MAX) {
          throw new IllegalArgumentException("a proof has at most 64 hashes, not " + proof.size());
        }
        out.u8(SIGN_HEAD).uuid(tenantId).i64(size).digest(root).i64(oldSize).u8(proof.size());
        proof.forEach(out::digest);
      }
      case LogKey(var tenantId) -> out.u8(LOG_KEY).uuid(tenantId);
      case Obey(var order, var content) ->
        ApprovedWire.write(out.u8(OBEY), order).shortBytes(content.toByteArray());
      case Freeze(var scope, var why) -> FenceWire.write(out.u8(FREEZE), scope).text(why);
      case Lift(var scope, var key) -> FenceWire.write(out.u8(LIFT), scope).bytes(key.toByteArray());
      case IsFrozen(var tenantId, var keyId) -> out.u8(IS_FROZEN).uuid(tenantId).uuid(keyId);
      case Mark(var known) -> {
        out.u8(MARK).u8(known.isPresent() ? 1 : 0);
        known.ifPresent(mark -> FenceWire.write(out, mark));
      }
    }
    return frame(out);
  }

  /** A whole frame, ready to be written. */
  public static ByteBuffer encode(SignerReply reply) {
    var out = new WireWriter().u8(VERSION);
    switch (reply) {
      case Healthy(var version, var backend, var hardening) -> {
        if (hardening.size() > MAX_FACTS) {
          throw new IllegalArgumentException("at most 64 facts fit a reply, not " + hardening.size());
        }
        out.u8(HEALTHY).text(version).text(backend).u8(hardening.size());
        hardening.forEach(out::text);
      }
      case KeyCreated(var keyId, var address) -> out.u8(KEY_CREATED).uuid(keyId).address(address);
      case Signed(var raw, var hash) -> out.u8(SIGNED).shortBytes(raw.toByteArray()).digest(hash);
      case AuthorizationSigned(var signature, var digest) ->
        out.u8(AUTHORIZATION_SIGNED).shortBytes(signature.toByteArray()).digest(digest);
      case HeadSigned(var checkpoint) -> out.u8(HEAD_SIGNED).shortBytes(checkpoint.toByteArray());
      case HeadIs(var size, var root) -> out.u8(HEAD_IS).i64(size).digest(root);
      case LogKeyIs(var vkey) -> out.u8(LOG_KEY_IS).text(vkey);
      case Obeyed(var number) -> out.u8(OBEYED).i64(number);
      case Frozen(var scope, var frozen) -> FenceWire.write(out.u8(FROZEN), scope).u8(frozen ? 1 : 0);
      case MarkIs(var mark) -> FenceWire.write(out.u8(MARK_IS), mark);
      case Refused(var reason, var message) -> out.u8(REFUSED).u8(reason.code()).text(message);
    }
    return frame(out);
  }

  /**
   * Reads a request.
   *
   * @throws IllegalArgumentException if the payload is not exactly one; the stream goes on with the next frame
   */
  public static SignerRequest decodeRequest(byte[] payload) {
    var in = open(payload);
    int type = in.u8();
    var request = switch (type) {
      case HEALTH -> new Health();
      case CREATE_KEY -> new CreateKey(in.uuid(), in.uuid());
      case SIGN -> new Sign(permit(in), Bytes.of(in.shortBytes()));
      case SIGN_LOGGED -> new Sign(permit(in), Bytes.of(in.shortBytes()),
          Optional.of(new Evidence(Bytes.of(in.shortBytes()), Bytes.of(in.shortBytes()))));
      case SIGN_APPROVED -> new Sign(permit(in), Bytes.of(in.shortBytes()),
          Optional.of(new Evidence(Bytes.of(in.shortBytes()), Bytes.of(in.shortBytes()),
              Optional.of(ApprovedWire.approved(in)))));
      case FREEZE -> new Freeze(FenceWire.scope(in), in.text());
      case LIFT -> new Lift(FenceWire.scope(in), Bytes.of(in.bytes(Lift.KEY_BYTES)));
      case IS_FROZEN -> new IsFrozen(in.uuid(), in.uuid());
      case MARK -> new Mark(FenceWire.flag(in) ? Optional.of(FenceWire.mark(in)) : Optional.empty());
      case OBEY -> new Obey(ApprovedWire.order(in), Bytes.of(in.shortBytes()));
      case SIGN_HEAD -> new SignHead(in.uuid(), in.i64(), in.digest(), in.i64(), proof(in));
      case LOG_KEY -> new LogKey(in.uuid());
      default -> throw new IllegalArgumentException("no request has the type " + type);
    };
    in.end();
    return request;
  }

  /**
   * Reads a reply.
   *
   * @throws IllegalArgumentException if the payload is not exactly one
   */
  public static SignerReply decodeReply(byte[] payload) {
    var in = open(payload);
    int type = in.u8();
    var reply = switch (type) {
      case HEALTHY -> new Healthy(in.text(), in.text(), facts(in));
      case KEY_CREATED -> new KeyCreated(in.uuid(), in.address());
      case SIGNED -> new Signed(Bytes.of(in.shortBytes()), in.digest());
      case AUTHORIZATION_SIGNED -> new AuthorizationSigned(Bytes.of(in.shortBytes()), in.digest());
      case HEAD_SIGNED -> new HeadSigned(Bytes.of(in.shortBytes()));
      case HEAD_IS -> new HeadIs(in.i64(), in.digest());
      case LOG_KEY_IS -> new LogKeyIs(in.text());
      case OBEYED -> new Obeyed(in.i64());
      case FROZEN -> new Frozen(FenceWire.scope(in), FenceWire.flag(in));
      case MARK_IS -> new MarkIs(FenceWire.mark(in));
      case REFUSED -> new Refused(SignerRefusal.ofCode(in.u8()), in.text());
      default -> throw new IllegalArgumentException("no reply has the type " + type);
    };
    in.end();
    return reply;
  }

  private static WireReader open(byte[] payload) {
    var in = new WireReader("the frame", payload);
    int version = in.u8();
    if (version != VERSION) {
      throw new IllegalArgumentException("the frame has version " + version + "; only version 1 is known");
    }
    return in;
  }

  private static SignedPermit permit(WireReader in) {
    return new SignedPermit(Bytes.of(in.shortBytes()), Bytes.of(in.bytes(SignedPermit.SIGNATURE_BYTES)));
  }

  private static List<Digest32> proof(WireReader in) {
    int count = in.u8();
    if (count > SignHead.PROOF_MAX) {
      throw new IllegalArgumentException("a proof has at most 64 hashes, not " + count);
    }
    var proof = new ArrayList<Digest32>(count);
    for (int i = 0; i < count; i++) {
      proof.add(in.digest());
    }
    return proof;
  }

  private static List<String> facts(WireReader in) {
    int count = in.u8();
    if (count > MAX_FACTS) {
      throw new IllegalArgumentException("at most 64 facts fit a reply, not " + count);
    }
    var facts = new ArrayList<String>(count);
    for (int i = 0; i < count; i++) {
      facts.add(in.text());
    }
    return facts;
  }

  private static ByteBuffer frame(WireWriter payload) {
    var bytes = payload.toByteArray();
    if (bytes.length > MAX_PAYLOAD_BYTES) {
      throw new IllegalArgumentException(
          "a frame has at most " + MAX_PAYLOAD_BYTES + " bytes, not " + bytes.length);
    }
    return ByteBuffer.allocate(HEADER_BYTES + bytes.length).putInt(bytes.length).put(bytes).flip();
  }
}
