package io.bursar.api.rehearsal;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;

/** A YAML or JSON file read by hand, so that every fault can be told with its line. */
final class YamlFile {
  private static final int BYTES_MAX = 4 * 1024 * 1024;
  private static final int DEPTH_MAX = 32;

  private final Path path;
  private final List<String> faults = new ArrayList<>();

  YamlFile(Path path) {
    this.path = path;
  }

  /** Everything that is wrong, each as {@code FILE:LINE: MESSAGE}. */
  List<String> faults() {
    return faults;
  }

  void fault(int line, String message) {
    faults.add(path + ":" + line + ": " + message);
  }

  void fault(Node node, String message) {
    fault(line(node), message);
  }

  static int line(Node node) {
    return node.getStartMark().getLine() + 1;
  }

  /** The text of the file; null where a fault was noted. */
  @Nullable
  String read() {
    try {
      if (Files.size(path) > BYTES_MAX) {
        faults.add(path + ": is larger than 4 MiB");
        return null;
      }
      return Files.readString(path);
    } catch (NoSuchFileException e) {
      faults.add(path + ": there is no such file");
    } catch (CharacterCodingException e) {
      faults.add(path + ": is not UTF-8");
    } catch (IOException e) {
      faults.add(path + ": cannot be read");
    }
    return null;
  }

  /** The one document of the file; null where a fault was noted. */
  @Nullable
  Node document() {
    var text = read();
    if (text == null) {
      return null;
    }
    try {
      var options = new LoaderOptions();
      options.setNestingDepthLimit(DEPTH_MAX);
      options.setMaxAliasesForCollections(0);
      options.setCodePointLimit(BYTES_MAX);
      var node = new Yaml(new SafeConstructor(options)).compose(new StringReader(text));
      if (node == null) {
        faults.add(path + ": is empty");
      }
      return node;
    } catch (MarkedYAMLException e) {
      var mark = e.getProblemMark();
      fault(mark == null ? 1 : mark.getLine() + 1, "is not YAML: " + e.getProblem());
    } catch (YAMLException e) {
      faults.add(path + ": is not YAML: " + e.getMessage());
    }
    return null;
  }

  /** The members of a mapping by name; anything that is not one of {@code known} is a fault. */
  Map<String, Node> members(Node node, String what, Set<String> known) {
    Map<String, Node> members = new LinkedHashMap<>();
    if (!(node instanceof MappingNode mapping)) {
      fault(node, what + " must be a mapping");
      return members;
    }
    for (var tuple : mapping.getValue()) {
      var name = tuple.getKeyNode() instanceof ScalarNode key ? key.getValue() : "";
      if (!known.isEmpty() && !known.contains(name)) {
        fault(tuple.getKeyNode(), "`" + name + "` is not known; " + what + " may have `"
            + String.join("`, `", known.stream().sorted().toList()) + "`");
      } else if (members.put(name, tuple.getValueNode()) != null) {
        fault(tuple.getKeyNode(), "`" + name + "` is given twice");
      }
    }
    return members;
  }

  /** The items of a sequence; none where a fault was noted. */
  List<Node> items(Node node, String what) {
    if (node instanceof SequenceNode sequence) {
      return sequence.getValue();
    }
    fault(node, what + " must be a list");
    return List.of();
  }

  /** A plain text; null where a fault was noted. */
  @Nullable
  String text(@Nullable Node node, String what, Node around) {
    if (node == null) {
      fault(around, what + " is missing");
      return null;
    }
    if (node instanceof ScalarNode scalar && !scalar.getValue().isEmpty()) {
      return scalar.getValue();
    }
    fault(node, what + " must be a text");
    return null;
  }

  /** The line at which a JSON pointer's value stands, or the nearest that is there. */
  static int lineOf(Node document, String pointer) {
    var node = document;
    for (var part : pointer.split("/")) {
      var name = part.replace("~1", "/").replace("~0", "~");
      var next = child(node, name);
      if (next != null) {
        node = next;
      }
    }
    return line(node);
  }

  private static @Nullable Node child(Node node, String name) {
    if (node instanceof MappingNode mapping) {
      for (var tuple : mapping.getValue()) {
        if (tuple.getKeyNode() instanceof ScalarNode key && key.getValue().equals(name)) {
          return tuple.getValueNode();
        }
      }
    }
    if (node instanceof SequenceNode sequence && name.matches("[0-9]{1,6}")
        && Integer.parseInt(name) < sequence.getValue().size()) {
      return sequence.getValue().get(Integer.parseInt(name));
    }
    return null;
  }
}
