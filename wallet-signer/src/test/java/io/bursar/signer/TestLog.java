package io.bursar.signer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.log.CompactRange;
import io.bursar.log.HashSource;
import io.bursar.log.LogProof;
import io.bursar.log.Merkle;
import io.bursar.log.Proofs;
import io.bursar.log.SignedNote;
import io.bursar.permit.Bytes;
import io.bursar.permit.Digest32;
import io.bursar.permit.Intent;
import io.bursar.permit.PaymentIntent;
import io.bursar.permit.Permit;
import io.bursar.permit.SignerReply.HeadSigned;
import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.Evidence;
import io.bursar.permit.SignerRequest.Sign;
import io.bursar.permit.SignerRequest.SignHead;
import io.bursar.spend.Id;

/** A log of a few entries, and requests whose authorization is in it. */
record TestLog(List<byte[]> entries) implements HashSource {
  static TestLog of(String... entries) {
    return new TestLog(Arrays.stream(entries).map(entry -> entry.getBytes(StandardCharsets.UTF_8)).toList());
  }

  @Override
  public Digest32 hash(int level, long index) {
    return level == 0
        ? Merkle.leafHash(entries.get((int) index))
        : Merkle.nodeHash(hash(level - 1, 2 * index), hash(level - 1, 2 * index + 1));
  }

  SignHead head(UUID tenant, int size, int oldSize) {
    return new SignHead(tenant, size, CompactRange.of(size, this).root(), oldSize,
        oldSize == 0 ? List.of() : new Proofs(this).consistency(oldSize, size));
  }

  static Json.Builder facts(PaymentIntent intent) {
    return Json.object().put("wallet", Id.WALLET.text(intent.keyId()))
        .put("chain", "eip155:" + intent.chainId()).put("contract", intent.transfer().token().toString())
        .put("payee", intent.transfer().payee().toString()).put("amount", intent.transfer().amount());
  }

  /** An authorization that asks nobody. */
  static Json.Builder entry(PaymentIntent intent) {
    return Json.object().put("schema", 1).put("kind", "authorization").put("tenant", Id.TENANT.text(intent.tenantId()))
        .put("spend", Id.SPEND.text(intent.spendId())).put("facts", facts(intent).build())
        .put("decision", Json.object().put("effect", "allow").build());
  }

  /** A request whose authorization is the last of a few entries of a tenant's log. */
  static Sign request(Intent intent, Json entry, UUID logOf, Optional<Approved> approved) {
    var bytes = JsonText.canonical(entry);
    var entries = new ArrayList<>(of("a", "b", "c").entries());
    entries.add(bytes);
    var log = new TestLog(entries);
    var proof = new LogProof(Optional.empty(), 3, new Proofs(log).inclusion(3, 4),
        SignedNote.parse(headOf(log, logOf).checkpoint().toByteArray()));
    return with(intent, Merkle.leafHash(bytes), new Evidence(Bytes.of(bytes), Bytes.of(proof.encode()), approved));
  }

  static Sign with(Intent intent, Digest32 authorization, Evidence evidence) {
    var permit = new Permit(UUID.randomUUID(), intent.subjectId(), authorization, intent.hash(), Fixtures.NOW,
        Fixtures.NOW.plusSeconds(60)).sign(Fixtures.PERMIT_KEYS.getPrivate());
    return new Sign(permit, Bytes.of(intent.encode()), Optional.of(evidence));
  }

  /** By a signer with the same key and no memory, so that every request can have a log of its own. */
  private static HeadSigned headOf(TestLog log, UUID tenant) {
    try {
      return (HeadSigned) Fixtures.log(Files.createTempDirectory(Path.of("target"), "alone"), true)
          .sign(log.head(tenant, 4, 0));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
