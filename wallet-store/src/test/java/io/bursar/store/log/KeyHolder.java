package io.bursar.store.log;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

import io.bursar.log.Checkpoint;
import io.bursar.log.Merkle;
import io.bursar.log.NoteKey;
import io.bursar.log.NoteSigner;
import io.bursar.log.SignedNote;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerRefusal;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest.SignHead;
import io.bursar.spend.Id;

/** Signs heads by the rules of the signer's process, in this one: every head begins with the one before. */
final class KeyHolder implements HeadSigner {
  private final Map<UUID, Checkpoint> heads = new ConcurrentHashMap<>();
  volatile boolean away;

  private static NoteSigner signer(UUID tenantId) {
    return NoteSigner.of("bursar.test/" + Id.TENANT.text(tenantId), NoteKey.Kind.ED25519, new byte[32]);
  }

  @Override
  public synchronized SignerReply sign(SignHead head) throws LogUnavailable {
    if (away) {
      throw LogUnavailable.forNow("the signer cannot be reached", new IllegalStateException("away"));
    }
    var key = signer(head.tenantId());
    var last = heads.getOrDefault(head.tenantId(), new Checkpoint(key.key().name(), 0, Merkle.emptyRoot()));
    var wanted = new Checkpoint(key.key().name(), head.size(), head.root());
    if (!wanted.equals(last)) {
      if (head.size() < last.size() || head.oldSize() != last.size()) {
        return new SignerReply.HeadIs(last.size(), last.root());
      }
      if (last.size() > 0
          && !Merkle.isConsistent(last.size(), last.root(), head.size(), head.root(), head.proof())) {
        return new SignerReply.Refused(SignerRefusal.LOG_FORKED, "not what was signed before");
      }
      heads.put(head.tenantId(), wanted);
    }
    return new SignerReply.HeadSigned(
        Bytes.of(new SignedNote(wanted.text(), List.of(key.sign(wanted.text()))).encode()));
  }

  @Override
  public NoteKey key(UUID tenantId) {
    return signer(tenantId).key();
  }

  Digest32 root(UUID tenantId) {
    return heads.getOrDefault(tenantId, new Checkpoint("none", 0, Merkle.emptyRoot())).root();
  }
}
