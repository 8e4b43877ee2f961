package io.bursar.api.signer;

import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.TransferIntent;

/** Gets transfers signed: every request carries a permit of its own. */
public final class TransferSigner {
  private final SignerClient signer;
  private final PermitIssuer permits;

  public TransferSigner(SignerClient signer, PermitIssuer permits) {
    this.signer = signer;
    this.permits = permits;
  }

  /**
   * Permits one signature over the intent and asks for it.
   *
   * @param authorizationHash leaf hash of the audit entry that authorized the spend
   * @throws SignerUnreachable if no answer came; the transfer may be signed all the same
   */
  public SignerReply sign(TransferIntent intent, Digest32 authorizationHash) throws SignerUnreachable {
    return signer.ask(new SignerRequest.Sign(permits.issue(intent, authorizationHash), Bytes.of(intent.encode())));
  }
}
