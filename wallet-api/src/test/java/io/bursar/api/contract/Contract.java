package io.bursar.api.contract;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SchemaRegistryConfig;
import com.networknt.schema.dialect.Dialects;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** {@code openapi/wallet.yaml}, read so that calls can be held against it. */
final class Contract {
  static final Path FOLDER = folder();

  private final JsonNode document = read();
  private final Map<String, Schema> schemas = new HashMap<>();
  private final SchemaRegistry registry = SchemaRegistry.withDialect(Dialects.getDraft202012(), builder -> builder
      .schemaRegistryConfig(SchemaRegistryConfig.builder().formatAssertionsEnabled(true).build()));

  /** An operation; {@code path} with the names of its parameters in braces. */
  record Operation(String method, String path, JsonNode node) {
    String id() {
      return node.path("operationId").asString();
    }

    List<String> roles() {
      return node.path("x-roles").valueStream().map(JsonNode::asString).toList();
    }

    @Override
    public String toString() {
      return method + " " + path;
    }
  }

  private static Path folder() {
    var directory = Path.of("").toAbsolutePath();
    while (directory != null && !Files.exists(directory.resolve("openapi/wallet.yaml"))) {
      directory = directory.getParent();
    }
    if (directory == null) {
      throw new IllegalStateException("openapi/wallet.yaml is not above the working directory");
    }
    return directory.resolve("openapi");
  }

  private static JsonNode read() {
    try {
      return new YAMLMapper().readTree(Files.readString(FOLDER.resolve("wallet.yaml")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  JsonNode at(String pointer) {
    return document.at(pointer);
  }

  List<Operation> operations() {
    var operations = new ArrayList<Operation>();
    document.path("paths").properties().forEach(path -> path.getValue().properties().forEach(method -> operations
        .add(new Operation(method.getKey().toUpperCase(Locale.ROOT), path.getKey(), method.getValue()))));
    return operations;
  }

  Operation operation(String id) {
    return operations().stream().filter(operation -> operation.id().equals(id)).findFirst().orElseThrow();
  }

  /** The operation that a request is for; one without parameters in its path comes first. */
  Optional<Operation> find(String method, String target) {
    int query = target.indexOf('?');
    var path = query < 0 ? target : target.substring(0, query);
    return operations().stream()
        .filter(operation -> operation.method().equals(method)
            && path.matches(operation.path().replaceAll("\\{[^}]*}", "[^/]+")))
        .min(java.util.Comparator.comparing(operation -> operation.path().contains("{")));
  }

  /** Follows references to where something is said. */
  JsonNode resolve(JsonNode node) {
    var current = node;
    while (current.has("$ref")) {
      current = document.at(current.path("$ref").asString().substring(1));
    }
    return current;
  }

  List<JsonNode> parameters(Operation operation, String in) {
    return operation.node().path("parameters").valueStream().map(this::resolve)
        .filter(parameter -> parameter.path("in").asString().equals(in)).toList();
  }

  Optional<JsonNode> requestSchema(Operation operation) {
    var schema = operation.node().at("/requestBody/content/application~1json/schema");
    return schema.isMissingNode() ? Optional.empty() : Optional.of(schema);
  }

  /** The schema of an answer. @throws AssertionError if the contract knows no such answer */
  Optional<JsonNode> responseSchema(Operation operation, int status, String mediaType) {
    var response = resolve(operation.node().path("responses").path(Integer.toString(status)));
    if (response.isMissingNode()) {
      throw new AssertionError("the contract of " + operation + " knows no status " + status);
    }
    if (!response.has("content")) {
      return Optional.empty();
    }
    var content = response.path("content").path(mediaType);
    if (content.isMissingNode()) {
      throw new AssertionError("the contract of " + operation + " knows no " + mediaType + " for " + status);
    }
    return Optional.of(content.path("schema"));
  }

  /** What is wrong with a value by a schema of the contract; empty if nothing is. */
  List<String> faults(JsonNode schema, JsonNode value) {
    return schemas.computeIfAbsent(schema.toString(), text -> {
      ObjectNode root = new YAMLMapper().createObjectNode();
      root.putArray("allOf").add(schema);
      root.set("components", document.path("components"));
      return registry.getSchema(root);
    }).validate(value).stream().map(error -> error.getInstanceLocation() + ": " + error.getMessage()).toList();
  }

  /** Every property that the schema names anywhere, as {@code Schema.property}. */
  Set<String> properties(JsonNode schema) {
    var found = new TreeSet<String>();
    collect(schema, "", found, new TreeSet<>());
    return found;
  }

  private void collect(JsonNode schema, String name, Set<String> found, Set<String> visited) {
    var at = name;
    if (schema.has("$ref")) {
      var ref = schema.path("$ref").asString();
      at = ref.substring(ref.lastIndexOf('/') + 1);
      if (!visited.add(at)) {
        return;
      }
    }
    var resolved = resolve(schema);
    var here = at;
    resolved.path("properties").properties().forEach(property -> {
      if (!here.isEmpty()) {
        found.add(here + "." + property.getKey());
      }
      collect(property.getValue(), here + "." + property.getKey(), found, visited);
    });
    if (resolved.has("items")) {
      collect(resolved.path("items"), here + "[]", found, visited);
    }
    for (var keyword : List.of("allOf", "anyOf", "oneOf")) {
      resolved.path(keyword).forEach(part -> collect(part, "", found, visited));
    }
  }

  /** Adds the properties of the schema that a value has, under the names of {@link #properties}. */
  void addPresent(JsonNode schema, JsonNode value, Set<String> present) {
    addPresent(schema, value, "", present);
  }

  private void addPresent(JsonNode schema, JsonNode value, String name, Set<String> present) {
    var ref = schema.path("$ref").asString("");
    var here = ref.isEmpty() ? name : ref.substring(ref.lastIndexOf('/') + 1);
    var resolved = resolve(schema);
    resolved.path("properties").properties().forEach(property -> {
      if (value.has(property.getKey())) {
        present.add(here + "." + property.getKey());
        addPresent(property.getValue(), value.path(property.getKey()), here + "." + property.getKey(), present);
      }
    });
    if (resolved.has("items")) {
      value.forEach(item -> addPresent(resolved.path("items"), item, here + "[]", present));
    }
    for (var keyword : List.of("allOf", "anyOf", "oneOf")) {
      resolved.path(keyword).forEach(part -> {
        if (faults(part, value).isEmpty()) {
          addPresent(part, value, "", present);
        }
      });
    }
  }

  /** The pointers of the objects in a value that may have no other members than those of the schema. */
  List<String> closedObjects(JsonNode schema, JsonNode value) {
    var pointers = new ArrayList<String>();
    addClosed(schema, value, "", pointers);
    return pointers;
  }

  private void addClosed(JsonNode schema, JsonNode value, String pointer, List<String> pointers) {
    var resolved = resolve(schema);
    if (resolved.has("additionalProperties")) {
      pointers.add(pointer);
    }
    resolved.path("properties").properties().forEach(property -> {
      if (value.has(property.getKey())) {
        addClosed(property.getValue(), value.path(property.getKey()), pointer + "/" + property.getKey(), pointers);
      }
    });
    for (int i = 0; resolved.has("items") && i < value.size(); i++) {
      addClosed(resolved.path("items"), value.path(i), pointer + "/" + i, pointers);
    }
    resolved.path("oneOf").forEach(part -> {
      if (faults(part, value).isEmpty()) {
        addClosed(part, value, pointer, pointers);
      }
    });
  }
}
