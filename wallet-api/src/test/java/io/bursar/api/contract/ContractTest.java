package io.bursar.api.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.AnnotatedBeanDefinition;
import org.springframework.context.annotation.ClassPathScanningCandidateComponentProvider;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.core.type.classreading.MetadataReader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

import io.bursar.api.http.ProblemCode;
import io.bursar.policy.Decision;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code openapi/wallet.yaml} and the service say the same. */
final class ContractTest {
  private static final List<String> ROLES = List.of("operator", "admin", "agent", "approver", "auditor");

  /** What a test without broken parts cannot see, and why. */
  private static final Map<String, String> NOT_SEEN = Map.of("Spend.failure",
      "needs a payment that the chain refuses; see the tests of settlement", "Spend.failureReason",
      "needs a wallet without money and a long wait; see FundsTest", "Log.stopped",
      "needs a database that was tampered with; see the tests of the log");

  private final Contract contract = new Contract();

  /** The same of rehearsals: a stream that breaks off, and a record that was altered. */
  private static final List<String> NOT_SEEN_OF_REHEARSALS = List.of("BacktestLine.detail",
      "ChangeRehearsalLine.detail",
      "ChangeRehearsalLine.notAnalysed", "ReplayLine.detail",
      "ReplayExample.spend", "ReplayExample.seq", "ReplayExample.pointer", "ReplayExample.recorded",
      "ReplayExample.again", "ReplayExample.why");

  @Test
  void passesItsLinter() throws IOException, InterruptedException {
    assertThat(Contract.FOLDER.resolve("node_modules/@redocly/openapi-core"))
        .as("run `npm ci` in openapi, or `deploy/bursar test`").exists();
    var output = Files.createTempFile("lint", ".txt");
    var lint = new ProcessBuilder("node", "lint.mjs").directory(Contract.FOLDER.toFile()).redirectErrorStream(true)
        .redirectOutput(output.toFile()).start();
    int exit = lint.waitFor();
    assertThat(Files.readString(output)).isEmpty();
    assertThat(exit).isZero();
  }

  @Test
  void hasExactlyTheRoutesOfTheControllers() throws ClassNotFoundException {
    var described = contract.operations().stream().filter(operation -> !operation.path().startsWith("/actuator/"))
        .map(operation -> anonymous(operation.toString())).collect(Collectors.toCollection(TreeSet::new));
    assertThat(routes()).isEqualTo(described);
  }

  private static Set<String> routes() throws ClassNotFoundException {
    var scanner = new ClassPathScanningCandidateComponentProvider(false) {
      @Override
      protected boolean isCandidateComponent(MetadataReader reader) {
        // Those that are there only under some condition too.
        return reader.getAnnotationMetadata().hasAnnotation(RestController.class.getName());
      }

      @Override
      protected boolean isCandidateComponent(AnnotatedBeanDefinition definition) {
        return true;
      }
    };
    var routes = new TreeSet<String>();
    for (var bean : scanner.findCandidateComponents("io.bursar.api")) {
      for (var method : Class.forName(bean.getBeanClassName()).getDeclaredMethods()) {
        var mapping = AnnotatedElementUtils.findMergedAnnotation(method, RequestMapping.class);
        if (mapping != null) {
          Arrays.stream(mapping.path()).forEach(path -> Arrays.stream(mapping.method())
              .forEach(verb -> routes.add(anonymous(verb + " " + path))));
        }
      }
    }
    return routes;
  }

  private static String anonymous(String route) {
    return route.replaceAll("\\{[^}]*}", "{}");
  }

  @Test
  void hasExactlyTheErrorCodesOfTheService() {
    assertThat(strings(contract.at("/components/schemas/ProblemCode/enum")))
        .containsExactly(Arrays.stream(ProblemCode.values()).map(Enum::name).toArray(String[]::new));
  }

  @Test
  void givesEachErrorCodeTheStatusThatTheServiceGivesIt() {
    for (var response : contract.at("/components/responses").properties()) {
      var problem = response.getValue().at("/content/application~1problem+json/schema/allOf/1/properties/code/enum");
      for (var operation : contract.operations()) {
        for (var answer : operation.node().path("responses").properties()) {
          if (answer.getValue().path("$ref").asString().endsWith("/" + response.getKey())) {
            strings(problem).forEach(code -> assertThat(ProblemCode.valueOf(code).status())
                .as("%s of %s", code, operation).isEqualTo(Integer.parseInt(answer.getKey())));
          }
        }
      }
    }
  }

  @Test
  void hasTheReasonCodesOfTheEngineAndThoseReserved() {
    var codes = new ArrayList<>(Arrays.stream(Decision.Code.values()).map(Enum::name).toList());
    codes.addAll(List.of("APPROVAL_REJECTED", "APPROVAL_EXPIRED", "ASSET_NOT_REGISTERED", "INSUFFICIENT_FUNDS"));
    assertThat(strings(contract.at("/components/schemas/ReasonCode/enum"))).containsExactlyElementsOf(codes);
  }

  private static List<String> strings(JsonNode array) {
    return array.valueStream().map(JsonNode::asString).toList();
  }

  @Test
  void admitsExactlyTheRolesOfTheContract() {
    var service = Service.shared();
    for (var operation : contract.operations()) {
      boolean open = operation.roles().isEmpty();
      assertThat(call(service, operation, "").status()).as("%s without a key", operation)
          .isEqualTo(open ? 200 : 401);
      for (var role : ROLES) {
        int status = call(service, operation, role).status();
        if (open || operation.roles().contains(role)) {
          assertThat(status).as("%s as %s", operation, role).isNotIn(401, 403);
        } else {
          assertThat(status).as("%s as %s", operation, role).isEqualTo(403);
        }
      }
    }
  }

  /** A call that finds nothing and changes nothing. */
  private Service.Reply call(Service service, Contract.Operation operation, String role) {
    boolean writes = operation.method().equals("POST") || operation.method().equals("PUT");
    return service.call(operation.method(), withUnknownIds(operation), role, writes ? "{}" : null);
  }

  private String withUnknownIds(Contract.Operation operation) {
    var path = operation.path();
    for (var parameter : contract.parameters(operation, "path")) {
      var example = parameter.path("example").asString();
      path = path.replace("{" + parameter.path("name").asString() + "}", example);
    }
    return path;
  }

  @Test
  void takesEveryQueryParameterAndRefusesAnyOther() {
    var service = Service.shared();
    for (var operation : contract.operations()) {
      var parameters = contract.parameters(operation, "query");
      if (parameters.isEmpty()) {
        continue;
      }
      var role = operation.roles().contains("auditor") ? "auditor" : operation.roles().getLast();
      var query = parameters.stream()
          .map(parameter -> parameter.path("name").asString() + "="
              + URLEncoder.encode(parameter.path("example").asString(), StandardCharsets.UTF_8))
          .collect(Collectors.joining("&"));
      // Where the path names something, it is something that is not there; the query is looked at first.
      var path = withUnknownIds(operation);
      assertThat(service.get(path + "?" + query, role).status()).as("%s ?%s", operation, query)
          .isEqualTo(path.equals(operation.path()) ? 200 : 404);
      assertThat(service.get(path + "?surprise=1&" + query, role).pointers())
          .as("%s", operation).containsExactly("?surprise");
    }
  }

  @Test
  void everyFieldIsSeenOrTakenAndAnyOtherIsRefused() {
    var service = Service.shared();
    new FullTour(service).run();
    refusesSurprises(service);
    var inAnswers = new TreeSet<String>();
    var inRequests = new TreeSet<String>();
    for (var operation : contract.operations()) {
      contract.requestSchema(operation).ifPresent(schema -> inRequests.addAll(contract.properties(schema)));
      for (var response : operation.node().path("responses")) {
        contract.resolve(response).path("content").forEach(
            content -> inAnswers.addAll(contract.properties(content.path("schema"))));
      }
    }
    inAnswers.removeAll(service.seen);
    assertThat(inAnswers).containsAll(NOT_SEEN_OF_REHEARSALS);
    NOT_SEEN_OF_REHEARSALS.forEach(inAnswers::remove);
    assertThat(inAnswers).as("fields that no answer had").isEqualTo(new TreeSet<>(NOT_SEEN.keySet()));
    inRequests.removeAll(service.accepted);
    assertThat(inRequests).as("fields that no accepted request had").isEmpty();
  }

  /** Into each object of each accepted request one more member is put. */
  private void refusesSurprises(Service service) {
    for (var operation : contract.operations()) {
      var schema = contract.requestSchema(operation);
      if (schema.isEmpty()) {
        continue;
      }
      var accepted = service.acceptedRequests.get(operation.id());
      assertThat(accepted).as("an accepted request of %s", operation).isNotNull();
      if (accepted == null) {
        continue;
      }
      var body = accepted.body();
      var path = accepted.path();
      for (var pointer : contract.closedObjects(schema.get(), body)) {
        var changed = body.deepCopy();
        ((ObjectNode) changed.at(pointer)).put("surprise", 1);
        var reply = service.call(operation.method(), path, operation.roles().getLast(), changed.toString(),
            "Idempotency-Key", "surprise");
        assertThat(reply.pointers()).as("%s %s: %s", operation, pointer, reply.text()).contains(pointer + "/surprise");
        boolean validates = operation.id().equals("validatePolicy") && !pointer.isEmpty();
        assertThat(reply.json().has("code")).as("%s", operation).isEqualTo(!validates);
      }
    }
  }
}
