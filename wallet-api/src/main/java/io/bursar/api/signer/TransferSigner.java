package io.bursar.api.signer;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

import io.bursar.api.signer.PermitIssuer.Subject;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.RelayerIntent;
import io.bursar.permit.SignedPermit;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.store.log.Log;
import io.bursar.store.log.LogUnavailable;

/** Gets transfers signed: every request carries a permit of its own and shows that the transfer was authorized on the record. */
public final class TransferSigner {
  /** How long a payment waits for its receipt while others sequence the log. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private final SignerClient signer;
  private final PermitIssuer permits;
  private final Log log;
  private final Duration patience;

  public TransferSigner(SignerClient signer, PermitIssuer permits, Log log) {
    this(signer, permits, log, PATIENCE);
  }

  /**
   * As the other one, with a patience of its own.
   *
   * @param patience how long a payment waits for its receipt while others sequence the log
   */
  public TransferSigner(SignerClient signer, PermitIssuer permits, Log log, Duration patience) {
    this.signer = signer;
    this.permits = permits;
    this.log = log;
    this.patience = patience;
  }

  /**
   * The entry that a spend may be paid under, and its receipt. Pulls the sequencing of the log forward if it has to.
   *
   * @throws LogUnavailable if there is none yet; nothing can be signed until there is
   */
  public Evidence evidence(UUID tenantId, UUID spendId) throws LogUnavailable {
    return log.evidence(tenantId, spendId, patience);
  }

  /** As the other one, of many payments of a tenant, by spend. */
  public Map<UUID, Evidence> evidence(UUID tenantId, Collection<UUID> spendIds) throws LogUnavailable {
    return log.evidence(tenantId, spendIds, patience);
  }

  /**
   * The entry that asks for a payment to be canceled, and its receipt.
   *
   * @throws LogUnavailable if there is none yet
   */
  public Evidence cancellation(UUID tenantId, UUID spendId) throws LogUnavailable {
    return log.cancellation(tenantId, spendId, patience);
  }

  /** As the other one, of many payments of a tenant, by spend. */
  public Map<UUID, Evidence> cancellation(UUID tenantId, Collection<UUID> spendIds) throws LogUnavailable {
    return log.cancellation(tenantId, spendIds, patience);
  }

  /**
   * Permits one signature over the intent and asks for it.
   *
   * @param authorizationHash leaf hash of the audit entry that authorized the spend, or asked for its cancellation
   * @throws SignerUnreachable if no answer came; the transfer may be signed all the same
   */
  public SignerReply sign(Intent intent, Digest32 authorizationHash, Evidence evidence) throws SignerUnreachable {
    return sign(permits.issue(new Subject(intent, authorizationHash)), intent, evidence);
  }

  /** Permits for {@link #sign(SignedPermit, Intent, Evidence)}, in the order of what they are for. */
  public List<SignedPermit> permits(List<Subject> of) {
    return permits.issue(of);
  }

  /**
   * Asks for the signature that the permit is for.
   *
   * @throws SignerUnreachable if no answer came; the transfer may be signed all the same
   */
  public SignerReply sign(SignedPermit permit, Intent intent, Evidence evidence) throws SignerUnreachable {
    return signer.ask(new SignerRequest.Sign(permit, Bytes.of(intent.encode()), Optional.of(evidence)));
  }

  /**
   * Permits one signature of a relayer and asks for it. It needs no evidence: the authorizations of a batch were signed for with theirs,
   * and a refill stays in the pool.
   *
   * @throws SignerUnreachable if no answer came; the transaction may be signed all the same
   */
  public SignerReply sign(RelayerIntent intent) throws SignerUnreachable {
    return signer
        .ask(new SignerRequest.Sign(permits.issue(new Subject(intent, intent.hash())), Bytes.of(intent.encode())));
  }
}
