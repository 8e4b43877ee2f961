package io.bursar.api.directory;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.http.ResponseEntity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.dev.Development;
import io.bursar.api.http.Bodies;
import io.bursar.api.http.Caller;
import io.bursar.api.http.Problem;
import io.bursar.api.http.ProblemCode;
import io.bursar.api.http.Query;
import io.bursar.json.Json;
import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.Directory;
import jakarta.servlet.http.HttpServletRequest;

/** {@code /v1/tenants}: the operator makes tenants, each with the first key of its administrator. */
@RestController
public final class TenantController {
  private final Directory directory;
  private final ApiKeys keys;
  private final ObjectProvider<Development> development;

  TenantController(Directory directory, ApiKeys keys, ObjectProvider<Development> development) {
    this.directory = directory;
    this.keys = keys;
    this.development = development;
  }

  @PostMapping("/v1/tenants")
  ResponseEntity<byte[]> create(@AuthenticationPrincipal Caller caller, HttpServletRequest request) {
    var name = Names.required(Bodies.read(request));
    var tenant = directory.createTenant(name, caller.actor())
        .orElseThrow(() -> Problem.of(ProblemCode.NAME_TAKEN, "there is a tenant named `" + name + "` already"));
    var key = keys.issue(tenant.id(), ApiKeys.Role.ADMIN, "first administrator", null, null, caller.actor());
    development.ifAvailable(chain -> chain.register(tenant.id()));
    return Bodies.created(view(tenant).put("adminKey", key.secret().value()).build());
  }

  @GetMapping("/v1/tenants")
  ResponseEntity<byte[]> list(HttpServletRequest request) {
    var query = new Query(request);
    var page = query.page();
    query.refuseFaults();
    return Bodies.ok(Query.list(directory.tenants(page), tenant -> view(tenant).build()));
  }

  private static Json.Builder view(Directory.Tenant tenant) {
    return Json.object().put("id", Id.TENANT.text(tenant.id())).put("name", tenant.name()).put("createdAt",
        tenant.createdAt().toString());
  }
}
