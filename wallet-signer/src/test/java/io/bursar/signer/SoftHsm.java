package io.bursar.signer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A token of SoftHSM 2, made anew for each run of the tests. The library reads {@code SOFTHSM2_CONF} once a process, so the
 * variable is set by the build and all tests share one token.
 */
final class SoftHsm {
  private static final List<Path> LIBRARIES = List.of(Path.of("/usr/lib/softhsm/libsofthsm2.so"),
      Path.of("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
      Path.of("/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"), Path.of("/usr/local/lib/softhsm/libsofthsm2.so"));
  private static final Pattern SLOT = Pattern.compile("reassigned to slot ([0-9]+)");

  private static final class Holder {
    static final KekSource.Token TOKEN = make();
  }

  private SoftHsm() {}

  /** The token, with the right PIN. */
  static KekSource.Token token() {
    return Holder.TOKEN;
  }

  private static KekSource.Token make() {
    try {
      var library = LIBRARIES.stream().filter(Files::exists).findFirst().orElseThrow(() -> new IllegalStateException(
          "the tests need SoftHSM 2: install the Debian package `softhsm2`, as `deploy/bursar test` does"));
      var variable = System.getenv("SOFTHSM2_CONF");
      if (variable == null) {
        throw new IllegalStateException("SOFTHSM2_CONF is not set; the build sets it, set it to a file to be made");
      }
      var configuration = Path.of(variable);
      var directory = Files.createTempDirectory(Files.createDirectories(configuration.toAbsolutePath().getParent()),
          "softhsm");
      Files.writeString(configuration,
          "directories.tokendir = " + directory + "\nobjectstore.backend = file\nlog.level = ERROR\n");
      var pin = directory.resolve("pin");
      SafeFiles.create(pin, "87654321\n".getBytes(StandardCharsets.US_ASCII));
      var init = new ProcessBuilder("softhsm2-util", "--init-token", "--free", "--label", "bursar", "--so-pin",
          "12345678",
          "--pin", "87654321").redirectErrorStream(true).start();
      var said = new String(init.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      var slot = SLOT.matcher(said);
      if (init.waitFor() != 0 || !slot.find()) {
        throw new IllegalStateException("softhsm2-util: " + said);
      }
      return new KekSource.Token(library, Long.parseLong(slot.group(1)), pin);
    } catch (IOException | InterruptedException failed) {
      throw new IllegalStateException(failed);
    }
  }
}
