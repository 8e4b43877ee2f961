package io.bursar.api.signer;

import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

import io.bursar.log.NoteKey;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.store.log.HeadSigner;
import io.bursar.store.log.LogUnavailable;

/** Has the heads of the logs signed by the signer's process. */
public final class SignerHeads implements HeadSigner {
  private final SignerClient signer;
  private final ConcurrentHashMap<UUID, NoteKey> keys = new ConcurrentHashMap<>();

  public SignerHeads(SignerClient signer) {
    this.signer = signer;
  }

  @Override
  public SignerReply sign(SignerRequest.SignHead head) throws LogUnavailable {
    try {
      return signer.ask(head);
    } catch (SignerUnreachable e) {
      throw LogUnavailable.forNow("the signer cannot be reached", e);
    }
  }

  /** Asked for once: the key of a log never changes while its signer runs. */
  @Override
  public NoteKey key(UUID tenantId) throws LogUnavailable {
    var known = keys.get(tenantId);
    if (known != null) {
      return known;
    }
    try {
      if (signer.ask(new SignerRequest.LogKey(tenantId)) instanceof SignerReply.LogKeyIs(var vkey)) {
        var key = NoteKey.parse(vkey);
        keys.put(tenantId, key);
        return key;
      }
      throw LogUnavailable.forNow("the signer does not name the key of the log", new IllegalStateException("refused"));
    } catch (SignerUnreachable e) {
      throw LogUnavailable.forNow("the signer cannot be reached", e);
    }
  }
}
