package io.bursar.store.log;

import java.util.UUID;

import io.bursar.log.NoteKey;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;

/** Whoever holds the key of the logs: the signer's process. */
public interface HeadSigner {
  /** Asks for the signature of a head. */
  SignerReply sign(SignerRequest.SignHead head) throws LogUnavailable;

  /** What verifies the heads of a tenant's log. */
  NoteKey key(UUID tenantId) throws LogUnavailable;
}
