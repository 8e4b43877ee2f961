package io.bursar.verify;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import io.bursar.log.NoteKey;

/** What the command was told. */
record Arguments(Map<String, String> values, Set<String> flags) {
  private static final Set<String> VALUES = Set.of("--url", "--folder", "--vkey", "--state", "--every", "--receipt",
      "--entry");
  private static final Set<String> FLAGS = Set.of("--replay", "--follow", "--partial", "--quiet");

  /** What was wrong with the arguments, and what to do. */
  static final class Wrong extends Exception {
    Wrong(String message) {
      super(message);
    }
  }

  static Arguments parse(String[] args) throws Wrong {
    var values = new HashMap<String, String>();
    var flags = new HashSet<String>();
    Iterator<String> left = Arrays.asList(args).iterator();
    while (left.hasNext()) {
      var name = left.next();
      if (FLAGS.contains(name)) {
        flags.add(name);
      } else if (!VALUES.contains(name)) {
        throw new Wrong("unknown argument `" + name + "`");
      } else if (!left.hasNext()) {
        throw new Wrong("`" + name + "` needs a value");
      } else if (values.put(name, left.next()) != null) {
        throw new Wrong("`" + name + "` is given twice");
      }
    }
    return new Arguments(values, flags);
  }

  boolean has(String flag) {
    return flags.contains(flag);
  }

  Optional<Path> path(String name) {
    return Optional.ofNullable(values.get(name)).map(Path::of);
  }

  NoteKey key() throws Wrong {
    var text = values.get("--vkey");
    if (text == null) {
      throw new Wrong("give the log's public key as `--vkey`, from somewhere that you trust");
    }
    try {
      return NoteKey.parse(text);
    } catch (IllegalArgumentException e) {
      throw new Wrong("`--vkey`: " + e.getMessage());
    }
  }

  LogSource source(Optional<String> bearerKey) throws Wrong {
    var url = values.get("--url");
    var folder = path("--folder");
    if ((url == null) == folder.isEmpty()) {
      throw new Wrong("give one of `--url` and `--folder`");
    }
    if (url == null) {
      return new FolderLog(folder.get());
    }
    if (!url.matches("https?://.+")) {
      throw new Wrong("`--url` must begin with `http://` or `https://`, and end where `checkpoint` is below");
    }
    try {
      return new HttpLog(URI.create(url), bearerKey);
    } catch (IllegalArgumentException e) {
      throw new Wrong("`--url` is no URL");
    }
  }

  Duration every() throws Wrong {
    var text = values.getOrDefault("--every", "10");
    if (!text.matches("[1-9][0-9]{0,4}")) {
      throw new Wrong("`--every` must be a whole number of seconds");
    }
    return Duration.ofSeconds(Integer.parseInt(text));
  }
}
