package io.bursar.api.operations;

import java.util.ArrayList;
import java.util.List;

import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.chain.Chain;
import io.bursar.api.chain.ChainUnavailable;
import io.bursar.api.chain.Chains;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Query;
import io.bursar.api.signer.SignerClient;
import io.bursar.api.signer.SignerUnreachable;
import io.bursar.json.Json;
import io.bursar.permit.SignerReply;
import io.bursar.permit.SignerRequest;
import io.bursar.spend.Id;
import io.bursar.store.Alarms;
import io.bursar.store.Diagnosis;
import io.bursar.store.PaymentStore;
import io.bursar.store.events.Outbox;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/diagnosis}: what stands still on this instance and why, and how much waits. */
@RestController
public final class DiagnosisController {
  private static final int ALARMS_MAX = 20;

  private final Diagnosis diagnosis;
  private final Alarms alarms;
  private final PaymentStore payments;
  private final Outbox outbox;
  private final Chains chains;
  private final SignerClient signer;

  DiagnosisController(Diagnosis diagnosis, Alarms alarms, PaymentStore payments, Outbox outbox, Chains chains,
      SignerClient signer) {
    this.diagnosis = diagnosis;
    this.alarms = alarms;
    this.payments = payments;
    this.outbox = outbox;
    this.chains = chains;
    this.signer = signer;
  }

  @GetMapping("/v1/diagnosis")
  ResponseEntity<byte[]> diagnose(HttpServletRequest request) {
    new Query(request).refuseFaults();
    List<Json> findings = new ArrayList<>();
    signer(findings);
    chains.all().values().forEach(chain -> nodes(chain, findings));
    alarms.lasting(ALARMS_MAX).forEach(alarm -> findings.add(Json.object().put("kind", "alarm." + alarm.alarm())
        .put("tenantId", Id.TENANT.text(alarm.tenantId())).put("about", alarm.subjectText()).put("why", alarm.why())
        .put("since", alarm.since().toString()).build()));
    diagnosis.findings().forEach(found -> findings.add(Json.object().put("kind", found.kind())
        .put("tenantId", Id.TENANT.text(found.tenantId())).put("about", found.about()).put("why", found.why())
        .put("since", found.since() == null ? Json.NULL : new Json.Str(found.since().toString())).build()));
    var unsettled = payments.backlog();
    return Bodies.ok(Json.object().put("findings", new Json.Arr(findings))
        .put("unsettledPayments", unsettled.unsettled()).put("oldestSeconds", unsettled.oldest().toSeconds())
        .put("undeliveredEvents", outbox.backlog().events()).build());
  }

  private void signer(List<Json> findings) {
    try {
      if (!(signer.ask(new SignerRequest.Health()) instanceof SignerReply.Healthy)) {
        findings.add(instance("signer", "signer", "it is not well: nothing is signed"));
      }
    } catch (SignerUnreachable e) {
      findings.add(instance("signer", "signer", "it cannot be reached, so nothing is signed: " + e.getMessage()));
    }
  }

  private static void nodes(Chain chain, List<Json> findings) {
    try {
      var _ = chain.head();
    } catch (ChainUnavailable e) {
      findings.add(instance("chain", chain.name(), "nothing is paid there: " + e.getMessage()));
      return;
    }
    for (var node : chain.nodes()) {
      var trouble = node.trouble();
      if (trouble != null) {
        findings.add(instance("node", chain.name() + " " + node.number(), trouble));
      }
    }
  }

  private static Json instance(String kind, String about, String why) {
    return Json.object().put("kind", kind).put("tenantId", Json.NULL).put("about", about).put("why", why)
        .put("since", Json.NULL).build();
  }
}
